//! The product's own live source as a client: whatever befalls it, each trade comes once and in order or lies in a hole that is
//! named, and both ends of the hole are what the server knows of it.

mod answers;
mod connections;
mod day;
mod follower;
mod frames;
mod prices;
mod rules;
