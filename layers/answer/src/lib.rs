//! A tower layer for servers that turns rejections into gRPC or HTTP answers.
