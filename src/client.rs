//! The whole client stack behind one name, and the edge to tonic.
//!
//! A [`Ziggurat`] knows where services are found; its [`channel`](Ziggurat::channel) is what a
//! generated client is made of. Channels of one name share everything: what was discovered, the
//! connections, the circuit, the budget of retries.
//!
//! # What is retried, by default, and why
//!
//! | what happened to the attempt | tried again | why |
//! |---|---|---|
//! | it never left this process (no connection, message handed back) | always, elsewhere | nobody saw it |
//! | the server said that it did not look at it (GOAWAY, REFUSED_STREAM) | once | nobody acted on it |
//! | the server answered UNAVAILABLE, without a body | up to 3 attempts, elsewhere, within the budget | it is how a server asks for another try; a handler that has acted must answer with another code, or a pushback of -1 |
//! | the server sent a pushback | after exactly that long; never, if it says so (-1), if the deadline is earlier, or if it is above a minute without one | the server knows best |
//! | the connection broke after sending, or no head of an answer came within the attempt's time | only if the call is [`idempotent`](RequestExt::idempotent) | the server may have acted on it |
//! | any other status, or the head of an answer has arrived | never | it is the answer |
//! | a layer of this process rejected it (open circuit, rate limit, no endpoints) | never | it was decided |
//!
//! Retries draw on one budget for each service: 20 % of the calls, and 10 a second at least.
//!
//! A method that may be called twice can be [hedged](ChannelSettings::hedge) instead: a call that is
//! slow is made once more beside the first, elsewhere, and the first answer counts.
//!
//! Where services with retries call one another, only the one next to the trouble tries again: whoever
//! gives up answers with a pushback of -1, and so does a server whose own call was lost half way.

//!
//! # Who is called
//!
//! An endpoint whose calls keep failing is taken out for a while, by default after 5 failures or 3
//! timeouts in a row. [`ChannelSettings`] can have endpoints compared with each other, too, and asked
//! how they do (`grpc.health.v1`): then nobody is called who does not say that it serves. Which
//! instances there are is up to the source, and to the adapters around it: by zone, by version, or one
//! client's share ([`ResolveExt`](ziggurat_discover::ResolveExt)). Of those that are well each attempt goes
//! to the better of two, or where [another policy](ChannelSettings::balance_by) says: in turn, by load
//! reports, by a key, by a rule of your own.
//!
//! ```
//! # #[cfg(feature = "coord")] {
//! use ziggurat::{
//!     client::{ChannelSettings, Ziggurat},
//!     coord::Registry,
//!     discover::{Feedback, ResolveExt, Zones},
//!     health::{self, active},
//! };
//!
//! // Tells the zones who is out.
//! let feedback = Feedback::default();
//! let zones = Zones::new("eu-1").feedback(feedback.clone());
//! let settings = ChannelSettings::new()
//!     .health(health::Settings::grpc())
//!     .active_health(active::Settings::new())
//!     .feedback(feedback);
//! let ziggurat = Ziggurat::new(Registry::memory().prefer_zone(zones)).settings(settings);
//! let users = ziggurat.channel("user-service");
//! # drop(users);
//! # }
//! ```
//!
//! # Where services are found, and how they are reached
//!
//! Whatever implements [`Resolve`](ziggurat_core::Resolve) finds services: the registry of
//! `ziggurat::coord`, a fixed list ([`Fixed`](ziggurat_discover::Fixed)), a list that the program changes
//! ([`Watched`](ziggurat_discover::Watched)), and with the feature `dns` A, AAAA or SRV records, as of a
//! headless service of Kubernetes. A list may name Unix sockets. With the feature `tls` a server must
//! prove to be the service by its name.
//!
//! ```
//! use ziggurat::{client::Ziggurat, core::Instance, discover::Fixed};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let ziggurat = Ziggurat::new(Fixed::new([
//!     Instance::at("cart", "10.0.0.1:50051".parse()?)?,
//!     Instance::new("cart", "second", "cart-2.internal", 50051)?,
//!     Instance::unix("log", "local", "/run/log.sock")?,
//! ]));
//! let (carts, log) = (ziggurat.channel("cart"), ziggurat.channel("log"));
//! # drop((carts, log));
//! # Ok(())
//! # }
//! ```
//!
//! ```no_run
//! # #[cfg(all(feature = "dns", feature = "tls"))]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::num::NonZeroU16;
//! use ziggurat::{
//!     client::{ChannelSettings, Ziggurat},
//!     connect::{Roots, Tls},
//!     discover::{Feedback, dns::{Dns, Records}},
//! };
//!
//! // DNS is asked again when its answers are old, and when nobody that it named can be called.
//! let feedback = Feedback::default();
//! let port = NonZeroU16::new(50051).ok_or("no port")?;
//! let dns = Dns::servers(["10.0.0.10:53".parse()?], Records::Addresses { port })?
//!     .domain("default.svc.cluster.local")
//!     .feedback(feedback.clone());
//! let tls = Tls::new(Roots::pem(std::fs::read("ca.pem")?)?)?;
//! let settings = ChannelSettings::new().feedback(feedback).tls(tls);
//! let carts = Ziggurat::new(dns).settings(settings).channel("cart");
//! # drop(carts);
//! # Ok(())
//! # }
//! # #[cfg(not(all(feature = "dns", feature = "tls")))]
//! # fn main() {}
//! ```

mod body;
mod channel;
mod future;
mod gate;
mod keeper;
mod observer;
mod request;
mod settings;
mod stack;
mod state;
mod stripes;
mod unaddressable;
mod ziggurat;

pub use self::{
    body::Body,
    channel::{Channel, Closed, NotReady},
    future::ResponseFuture,
    observer::Observer,
    request::RequestExt,
    settings::{AttemptRequest, ChannelSettings},
    state::ChannelState,
    unaddressable::Unaddressable,
    ziggurat::Ziggurat,
};
