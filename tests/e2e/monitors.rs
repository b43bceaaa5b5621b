//! Monitors: nothing is skipped and nothing is seen twice, whatever fails; texts among samples; back-pressure by policy; what
//! plugins cost.

mod backlog;
mod durability;
mod runtime_metrics;
mod texts;
