//! One workload, and whatever can happen to etcd in the middle of it.
//!
//! ```text
//!   Schedule (a seed, or written down) --> Trial: fault, heal, check; again and again
//!                                            |
//!      World: 3 members, 2 sites --- Faults --+-- Discovery: registrations, callers
//!      each site reaches each member          +-- Followers: a setting, who leads
//!      by a proxy of its own                  +-- Contest: a lock, an election, ids
//!                                                       |
//!                                            Stage: who acts, by which token
//! ```
//!
//! What is found wrong goes to the [`Findings`](findings::Findings), and fails the test together
//! with the seed and the schedule so far.

mod contest;
mod contest_kinds;
mod discovery;
mod each;
mod fault;
mod findings;
mod followers;
mod random;
mod schedule;
mod stage;
mod trial;
mod world;
