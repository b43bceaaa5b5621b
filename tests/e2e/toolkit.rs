//! The author's toolkit: projects from the templates in every language, test cases, checks, replays, measurements.

mod checking;
mod command_line;
mod corners;
mod languages;
mod projects;
mod replaying;
