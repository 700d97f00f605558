//! Which C library a guard's binary needs. Lambda's provided.al2023 has glibc 2.34; a binary that was linked against a later one may
//! need symbols that are not there, and then does not start at all.

use object::{
    Endianness, Error,
    elf::{FileHeader64, VER_FLG_WEAK},
    read::elf::FileHeader,
};
use std::fmt;

/// A version of glibc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GlibcVersion(pub u32, pub u32);

impl GlibcVersion {
    /// Amazon Linux 2's, under the oldest managed runtimes (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html>).
    pub const AMAZON_LINUX_2: GlibcVersion = GlibcVersion(2, 26);

    /// Amazon Linux 2023's (<https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html>).
    pub const AMAZON_LINUX_2023: GlibcVersion = GlibcVersion(2, 34);

    /// The version behind a symbol version's name: `GLIBC_2.34`, `GLIBC_2.2.5`.
    fn of(symbol_version: &str) -> Option<GlibcVersion> {
        let version = symbol_version.strip_prefix("GLIBC_")?;
        // A binary with packed relative relocations asks for them by this name.
        if version == "ABI_DT_RELR" {
            return Some(GlibcVersion(2, 36));
        }
        let mut numbers = version.split('.').map(str::parse);
        Some(GlibcVersion(numbers.next()?.ok()?, numbers.next()?.ok()?))
    }
}

impl fmt::Display for GlibcVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// The oldest glibc that has every symbol `binary` (64-bit ELF) cannot start without; `None` where it needs none of glibc's.
///
/// # Errors
/// What is wrong with the ELF file.
pub fn glibc_needed(binary: &[u8]) -> Result<Option<GlibcVersion>, Error> {
    let header = FileHeader64::<Endianness>::parse(binary)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, binary)?;
    let Some((mut libraries, link)) = sections.gnu_verneed(endian, binary)? else { return Ok(None) };
    let names = sections.strings(endian, binary, link)?;
    let mut newest = None;
    while let Some((_, mut versions)) = libraries.next()? {
        while let Some(version) = versions.next()? {
            // The standard library looks whether some later functions are there; it does without.
            if !version.vna_flags.get(endian).contains(VER_FLG_WEAK) {
                let name = String::from_utf8_lossy(version.name(endian, names)?);
                newest = newest.max(GlibcVersion::of(&name));
            }
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_version_names_its_release() {
        #[track_caller]
        fn check(name: &str, expected: Option<GlibcVersion>) {
            assert_eq!(GlibcVersion::of(name), expected);
        }
        check("GLIBC_2.34", Some(GlibcVersion(2, 34)));
        check("GLIBC_2.2.5", Some(GlibcVersion(2, 2)));
        check("GLIBC_ABI_DT_RELR", Some(GlibcVersion(2, 36)));
        check("GLIBC_PRIVATE", None);
        check("GCC_3.0", None);
    }

    #[test]
    fn versions_are_ordered_by_number() {
        assert!(GlibcVersion(2, 4) < GlibcVersion::AMAZON_LINUX_2023);
        assert!(GlibcVersion(2, 35) > GlibcVersion::AMAZON_LINUX_2023);
    }

    /// Rust 1.95 itself needs 2.17 (<https://doc.rust-lang.org/rustc/platform-support.html>): a reading below that has missed something.
    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
    fn this_test_needs_what_rust_needs() {
        let binary = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(glibc_needed(&binary).unwrap() >= Some(GlibcVersion(2, 17)));
    }
}
