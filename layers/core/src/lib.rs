//! The words that every ziggurat layer speaks: outcomes, deadlines, rejections, endpoints, live settings.
