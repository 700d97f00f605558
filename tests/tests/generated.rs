//! What is generated is what is committed, and what is built is what is on the list of guards.

use warden_build::guards;
use warden_generate::{FILES, root};
use warden_guards::names;

#[test]
fn every_generated_file_is_what_the_generator_writes() {
    for (path, text) in FILES {
        let committed = std::fs::read_to_string(root().join(path)).expect(path);
        let made = text().expect(path);
        assert!(committed == made, "{path} is not what `cargo run -p warden-generate` writes: say that and commit it");
    }
}

#[test]
fn every_guard_that_is_built_is_on_the_list_and_every_one_on_the_list_is_built() {
    let mut listed = names();
    listed.sort_unstable();
    assert_eq!(guards(&root()).expect("the folders of the guards"), listed);
}
