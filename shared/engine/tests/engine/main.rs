//! The engine on a strict world in memory, with a toy guard.

#[path = "../world/toy.rs"]
mod toy;
#[path = "../world/mod.rs"]
mod world;

mod crashes;
mod delivery;
mod fights;
mod limits;
mod operators;
mod pre_existing;
mod rotating;
mod undoing;
