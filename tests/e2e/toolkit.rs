//! The author's toolkit: projects from the templates in every language, test cases, checks, replays, measurements.

mod command_line;
mod languages;
mod projects;
mod replaying;
