//! Whether a binary starts on Lambda: what it is compiled for, who loads it, and which C library it needs. Lambda's
//! provided.al2023 has glibc 2.34; a binary that was linked against a later one may need symbols that are not there,
//! and then does not start at all.

use object::{
    Endian, Endianness, Error,
    elf::{DT_NEEDED, EM_AARCH64, EM_X86_64, ET_DYN, FileHeader64, VER_FLG_WEAK},
    read::elf::{FileHeader, ProgramHeader},
};
use std::fmt;

use crate::Architecture;

/// A version of glibc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GlibcVersion(pub u32, pub u32);

impl GlibcVersion {
    /// Amazon Linux 2's, under the oldest managed runtimes
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html>).
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
        f.pad(&format!("{}.{}", self.0, self.1))
    }
}

/// The oldest glibc that has every symbol `binary` (64-bit ELF) cannot start without; `None` where it needs none of
/// glibc's.
///
/// # Errors
/// What is wrong with the ELF file.
fn glibc_needed(binary: &[u8]) -> Result<Option<GlibcVersion>, Error> {
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

/// The libraries that a binary may ask for: glibc's own, which every runtime has. Rust's unwinder is linked in by Zig,
/// so that not even GCC's is needed.
const LIBRARIES: [&str; 5] = ["libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1"];

/// Why a binary would not start on Lambda.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is no ELF file for 64 bits.
    #[error("it is no 64-bit ELF file, which a program for Linux is: {0}")]
    NotElf(String),
    /// It is compiled for another processor.
    #[error("it is not compiled for {0}")]
    Machine(Architecture),
    /// It is an object file, a core dump, or a program that is tied to an address.
    #[error("it is not a position-independent executable")]
    Kind,
    /// It names no dynamic loader: it is a library, or it was linked statically or for another C library.
    #[error("its loader is {found}, and glibc's is {expected}")]
    Loader {
        /// What it names.
        found: String,
        /// Where glibc has it.
        expected: &'static str,
    },
    /// It needs a library that the runtimes do not promise.
    #[error("it needs the library {0}, which a runtime need not have")]
    Library(String),
    /// It needs a glibc that is too new.
    #[error("it needs glibc {needed}, and where it is to run there is {there}")]
    Glibc {
        /// The oldest that it starts with.
        needed: GlibcVersion,
        /// The one that is there.
        there: GlibcVersion,
    },
    /// It uses glibc, and does not say which.
    #[error("it uses glibc without saying from which version on")]
    NoVersions,
}

fn not_elf(error: Error) -> Unfit {
    Unfit::NotElf(error.to_string())
}

/// Checks that a binary starts on `architecture` where glibc `there` is; returns the oldest glibc that it starts with.
///
/// # Errors
/// Why it would not start.
pub fn check(binary: &[u8], architecture: Architecture, there: GlibcVersion) -> Result<GlibcVersion, Unfit> {
    let header = FileHeader64::<Endianness>::parse(binary).map_err(not_elf)?;
    let endian = header.endian().map_err(not_elf)?;
    let machine = match architecture {
        Architecture::X86_64 => EM_X86_64,
        Architecture::Arm64 => EM_AARCH64,
    };
    if !endian.is_little_endian() || header.e_machine(endian) != machine {
        return Err(Unfit::Machine(architecture));
    }
    if header.e_type(endian) != ET_DYN {
        return Err(Unfit::Kind);
    }
    let mut found = None;
    for segment in header.program_headers(endian, binary).map_err(not_elf)? {
        found = found.or(segment.interpreter(endian, binary).map_err(not_elf)?);
    }
    let found = found.map_or("none".into(), String::from_utf8_lossy);
    if found != architecture.loader() {
        return Err(Unfit::Loader { found: found.into_owned(), expected: architecture.loader() });
    }
    let sections = header.sections(endian, binary).map_err(not_elf)?;
    let dynamic = sections.dynamic_table(endian, binary).map_err(not_elf)?;
    let loader = architecture.loader().rsplit('/').next().unwrap_or_default();
    for needed in dynamic.iter().filter(|entry| entry.tag == DT_NEEDED) {
        let name = String::from_utf8_lossy(dynamic.string(needed).map_err(not_elf)?);
        if name != loader && !LIBRARIES.contains(&name.as_ref()) {
            return Err(Unfit::Library(name.into_owned()));
        }
    }
    match glibc_needed(binary).map_err(not_elf)? {
        None => Err(Unfit::NoVersions),
        Some(needed) if needed > there => Err(Unfit::Glibc { needed, there }),
        Some(needed) => Ok(needed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::elf::{EM_RISCV, ET_EXEC};

    /// A program of a few hundred bytes, as far as its loader would read of it.
    #[derive(Clone, Copy)]
    struct Program<'a> {
        class: u8,
        kind: u16,
        machine: u16,
        loader: Option<&'a str>,
        libraries: &'a [&'a str],
        versions: &'a [&'a str],
    }

    const FIT: Program<'static> = Program {
        class: 2,
        kind: ET_DYN.0,
        machine: EM_X86_64.0,
        loader: Some("/lib64/ld-linux-x86-64.so.2"),
        libraries: &["libc.so.6", "ld-linux-x86-64.so.2"],
        versions: &["GLIBC_2.2.5", "GLIBC_2.34"],
    };

    impl Program<'_> {
        /// The file, laid out by the System V ABI and, for the versions, the Linux Standard Base (5.0, "Symbol
        /// Versioning").
        fn file(self) -> Vec<u8> {
            fn put(file: &mut Vec<u8>, fields: &[(u64, usize)]) {
                fields.iter().for_each(|(value, bytes)| file.extend(&value.to_le_bytes()[..*bytes]));
            }
            const HEADERS: u64 = 64 + 2 * 56;
            let mut strings = vec![0];
            let mut named = |text: &str| {
                let at = strings.len() as u64;
                strings.extend(text.bytes().chain([0]));
                at
            };
            let loader = self.loader.map(&mut named);
            let loader_length = self.loader.map_or(0, |loader| loader.len() as u64 + 1);
            let mut dynamic = Vec::new();
            for library in self.libraries {
                put(&mut dynamic, &[(1, 8), (named(library), 8)]);
            }
            put(&mut dynamic, &[(0, 8), (0, 8)]);
            // One library, and the versions of it.
            let mut versions = Vec::new();
            put(&mut versions, &[(1, 2), (self.versions.len() as u64, 2), (named("libc.so.6"), 4), (16, 4), (0, 4)]);
            for (index, version) in self.versions.iter().enumerate() {
                let next = if index + 1 < self.versions.len() { 16 } else { 0 };
                put(&mut versions, &[(0, 4), (0, 2), (2 + index as u64, 2), (named(version), 4), (next, 4)]);
            }
            strings.resize(strings.len().next_multiple_of(8), 0);
            let (strings_at, dynamic_at) = (HEADERS, HEADERS + strings.len() as u64);
            let versions_at = dynamic_at + dynamic.len() as u64;
            let sections_at = versions_at + versions.len() as u64;
            let sections: u64 = if self.versions.is_empty() { 3 } else { 4 };

            let mut file = vec![0x7f, b'E', b'L', b'F', self.class, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            put(
                &mut file,
                &[(self.kind.into(), 2), (self.machine.into(), 2), (1, 4), (0, 8), (64, 8), (sections_at, 8)],
            );
            put(&mut file, &[(0, 4), (64, 2), (56, 2), (2, 2), (64, 2), (sections, 2), (1, 2)]);
            let segment = |file: &mut Vec<u8>, kind: u64, at: u64, length: u64| {
                put(file, &[(kind, 4), (4, 4), (at, 8), (at, 8), (at, 8), (length, 8), (length, 8), (1, 8)]);
            };
            segment(
                &mut file,
                if loader.is_some() { 3 } else { 0 },
                strings_at + loader.unwrap_or_default(),
                loader_length,
            );
            segment(&mut file, 2, dynamic_at, dynamic.len() as u64);
            let lengths = (strings.len() as u64, dynamic.len() as u64, versions.len() as u64);
            file.extend([strings, dynamic, versions].concat());
            let section =
                |file: &mut Vec<u8>, kind: u64, at: u64, length: u64, (link, info, entry): (u64, u64, u64)| {
                    put(
                        file,
                        &[
                            (0, 4),
                            (kind, 4),
                            (2, 8),
                            (at, 8),
                            (at, 8),
                            (length, 8),
                            (link, 4),
                            (info, 4),
                            (8, 8),
                            (entry, 8),
                        ],
                    );
                };
            section(&mut file, 0, 0, 0, (0, 0, 0));
            section(&mut file, 3, strings_at, lengths.0, (0, 0, 0));
            section(&mut file, 6, dynamic_at, lengths.1, (1, 0, 16));
            section(&mut file, 0x6fff_fffe, versions_at, lengths.2, (1, 1, 0));
            file
        }
    }

    #[track_caller]
    fn check_program(program: Program<'_>, expected: Result<GlibcVersion, Unfit>) {
        let found = check(&program.file(), Architecture::X86_64, GlibcVersion::AMAZON_LINUX_2023);
        match (found, expected) {
            (Err(Unfit::NotElf(_)), Err(Unfit::NotElf(_))) => {}
            (found, expected) => assert_eq!(found, expected),
        }
    }

    #[test]
    fn a_program_that_starts_on_amazon_linux_2023_is_one_of_its_architecture_its_loader_and_its_glibc() {
        check_program(FIT, Ok(GlibcVersion(2, 34)));
        check_program(Program { versions: &["GLIBC_2.17"], ..FIT }, Ok(GlibcVersion(2, 17)));

        check_program(Program { class: 1, ..FIT }, Err(Unfit::NotElf(String::new())));
        check_program(Program { machine: EM_AARCH64.0, ..FIT }, Err(Unfit::Machine(Architecture::X86_64)));
        check_program(Program { machine: EM_RISCV.0, ..FIT }, Err(Unfit::Machine(Architecture::X86_64)));
        check_program(Program { kind: ET_EXEC.0, ..FIT }, Err(Unfit::Kind));
        let loader = |found: &str| Unfit::Loader { found: found.to_owned(), expected: "/lib64/ld-linux-x86-64.so.2" };
        check_program(Program { loader: None, ..FIT }, Err(loader("none")));
        let musl = "/lib/ld-musl-x86_64.so.1";
        check_program(Program { loader: Some(musl), libraries: &["libc.so"], versions: &[], ..FIT }, Err(loader(musl)));
        check_program(
            Program { libraries: &["libc.so.6", "libssl.so.3"], ..FIT },
            Err(Unfit::Library("libssl.so.3".into())),
        );
        check_program(Program { versions: &[], ..FIT }, Err(Unfit::NoVersions));
        for (version, needed) in [("GLIBC_2.35", GlibcVersion(2, 35)), ("GLIBC_ABI_DT_RELR", GlibcVersion(2, 36))] {
            let there = GlibcVersion::AMAZON_LINUX_2023;
            check_program(Program { versions: &["GLIBC_2.2.5", version], ..FIT }, Err(Unfit::Glibc { needed, there }));
        }
    }

    #[test]
    fn what_is_no_program_is_none() {
        for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fELF", &FIT.file()[..100]] {
            let found = check(bytes, Architecture::X86_64, GlibcVersion::AMAZON_LINUX_2023);
            assert!(matches!(found, Err(Unfit::NotElf(_))), "{found:?}");
        }
    }

    #[test]
    fn gravitons_programs_have_a_loader_of_their_own() {
        let program = Program {
            machine: EM_AARCH64.0,
            loader: Some("/lib/ld-linux-aarch64.so.1"),
            libraries: &["libc.so.6", "ld-linux-aarch64.so.1"],
            versions: &["GLIBC_2.17"],
            ..FIT
        };
        let checked = check(&program.file(), Architecture::Arm64, GlibcVersion::AMAZON_LINUX_2023);
        assert_eq!(checked, Ok(GlibcVersion(2, 17)));
        check_program(program, Err(Unfit::Machine(Architecture::X86_64)));
    }

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

    /// Rust 1.95 itself needs 2.17 (<https://doc.rust-lang.org/rustc/platform-support.html>): a reading below that has
    /// missed something.
    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
    fn this_test_needs_what_rust_needs() {
        let binary = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(glibc_needed(&binary).unwrap() >= Some(GlibcVersion(2, 17)));
    }
}
