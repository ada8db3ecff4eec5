//! Measures each layer beside its peers in one run: time per call, allocations per call, and the ratio.
//!
//! ```text
//!  Board ── section (a layer in one state) ── subject (floor, ziggurat, a peer)
//!                │
//!                ├─ call, clone+call          a service kept, or a clone of it per call
//!                └─ 1 thread, 2 threads       clones of one service on pinned workers
//!                     │
//!                     └─ rounds: A B C  A B C  A B C ...   ─▶ medians ─▶ table, layers.json
//! ```
//!
//! Times drift from machine to machine and from minute to minute; what holds is the ratio of two subjects
//! that took turns in one run, and the count of allocations. So subjects are interleaved, and nothing here
//! compares with a figure of an earlier run.
//!
//! ```no_run
//! use ziggurat_benches::{Board, Noop};
//!
//! let mut board = Board::default();
//! board
//!     .section::<u64>("nothing", "")
//!     .service("floor", || Noop)
//!     .service("boxed", || Noop);
//! ziggurat_benches::run(&board, "target/bench/nothing.json".as_ref());
//! ```

mod alloc;
mod args;
mod board;
mod clock;
mod figures;
mod noop;
mod report;
mod rounds;
mod runtime;
mod trial;
mod worker;

pub use self::{
    alloc::{Count, allocations, weigh},
    board::{Board, Section},
    clock::{Reading, Stopwatch},
    figures::{Figure, Figures},
    noop::{HttpNoop, HttpRequest, HttpResponse, Noop, PendsOnce, Sample, Twice},
    rounds::run,
    runtime::pinned,
};
