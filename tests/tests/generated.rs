//! What is generated is what is committed.

use warden_generate::{FILES, root};

#[test]
fn every_generated_file_is_what_the_generator_writes() {
    for (path, text) in FILES {
        let committed = std::fs::read_to_string(root().join(path)).expect(path);
        let made = text().expect(path);
        assert!(committed == made, "{path} is not what `cargo run -p warden-generate` writes: say that and commit it");
    }
}
