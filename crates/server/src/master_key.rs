//! The master key: from the environment, or from its file, which is made at first start.
//!
//! Keys are digested and secrets are sealed with what is derived from it. The file holds 64 hexadecimal digits and a line
//! feed, and nobody but its owner may read it.

use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use keybell_core::Randomness;
use keybell_core::seal::{MASTER_KEY_BYTES, MasterKey};
use zeroize::Zeroizing;

use crate::config::{Config, Environment};
use crate::failure::Failure;

/// Any of these in a file's mode lets others read or write it.
const OTHERS: u32 = 0o077;

/// The master key of the installation. Makes it where there is none yet.
pub(crate) fn load(
    config: &Config,
    environment: &Environment,
    randomness: &dyn Randomness,
) -> Result<MasterKey, Failure> {
    let path = config.master_key_file();
    if environment.master_key().is_none() && !path.exists() {
        make(&path, randomness)?;
    }
    existing(config, environment)
}

/// The master key of the installation, which is there already.
pub(crate) fn existing(config: &Config, environment: &Environment) -> Result<MasterKey, Failure> {
    let Some(text) = environment.master_key() else { return read(&config.master_key_file()) };
    parse(text).ok_or_else(|| {
        Failure::new(
            "KEYBELL__SERVER__MASTER_KEY is not 64 hexadecimal digits; `openssl rand -hex 32` makes some",
        )
    })
}

/// Reads the file, if nobody else can.
fn read(path: &Path) -> Result<MasterKey, Failure> {
    let shown = path.display();
    let cannot = |error| Failure::doing(format!("the master key {shown} cannot be read"))(error);
    let mode = std::fs::metadata(path).map_err(cannot)?.mode();
    if mode & OTHERS != 0 {
        return Err(Failure::new(format!(
            "the master key {shown} can be used by others than its owner (mode {:04o}); make it private: chmod 600 {shown}",
            mode & 0o7777
        )));
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(cannot)?);
    parse(text.trim_end()).ok_or_else(|| {
        Failure::new(format!(
            "the master key {shown} does not hold 64 hexadecimal digits; restore it from a backup"
        ))
    })
}

/// Makes the file with a new key. It is whole or not there, whatever happens; where another process is quicker, its key
/// stays.
fn make(path: &Path, randomness: &dyn Randomness) -> Result<(), Failure> {
    let cannot = |error| Failure::doing(format!("the master key {} cannot be made", path.display()))(error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_folder(folder)?;
    let bytes: Zeroizing<[u8; MASTER_KEY_BYTES]> = Zeroizing::new(randomness.bytes());
    let mut text = Zeroizing::new(String::with_capacity(2 * MASTER_KEY_BYTES + 1));
    for byte in bytes.iter() {
        for half in [byte >> 4, byte & 0xf] {
            text.push(char::from_digit(u32::from(half), 16).expect("half a byte is a hexadecimal digit"));
        }
    }
    text.push('\n');
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(cannot)?;
    file.as_file().set_permissions(Permissions::from_mode(0o600)).map_err(cannot)?;
    file.write_all(text.as_bytes()).map_err(cannot)?;
    file.as_file().sync_all().map_err(cannot)?;
    match file.persist_noclobber(path) {
        Ok(_) => tracing::info!(file = %path.display(), "made a new master key; keep a backup of it"),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(cannot(error.error)),
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(cannot)
}

/// Makes a data folder that only its owner can look into, where there is none.
pub(crate) fn make_folder(folder: &Path) -> Result<(), Failure> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(Failure::doing(format!("the data folder {} cannot be made", folder.display())))
}

fn parse(text: &str) -> Option<MasterKey> {
    let digits = text.as_bytes();
    if digits.len() != 2 * MASTER_KEY_BYTES {
        return None;
    }
    let half = |digit: u8| char::from(digit).to_digit(16).and_then(|half| u8::try_from(half).ok());
    let mut bytes = Zeroizing::new([0; MASTER_KEY_BYTES]);
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = half(pair[0])? << 4 | half(pair[1])?;
    }
    Some(MasterKey::from_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemRandomness;

    #[test]
    fn what_is_made_is_private_and_read_again_and_never_made_anew() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("data/master.key");
        make(&path, &SystemRandomness).expect("it is made");
        let first = read(&path).expect("it is read").check_value();
        make(&path, &SystemRandomness).expect("it is there already");
        assert_eq!(read(&path).expect("it is read").check_value(), first);
        let mode = |path: &Path| path.metadata().expect("it is there").mode() & 0o777;
        assert_eq!((mode(&path), mode(&folder.path().join("data"))), (0o600, 0o700));
        assert_eq!(
            std::fs::read_dir(folder.path().join("data")).expect("a folder").count(),
            1,
            "nothing is left beside it"
        );
    }

    #[test]
    fn a_file_that_others_can_read_or_that_holds_no_key_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("master.key");
        make(&path, &SystemRandomness).expect("it is made");
        for mode in [0o640, 0o604, 0o620, 0o610] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("its owner may");
            let Err(Failure::World(sentence)) = read(&path) else { panic!("mode {mode:o} was accepted") };
            assert!(sentence.contains("chmod 600"), "{sentence}");
        }
        std::fs::set_permissions(&path, Permissions::from_mode(0o400)).expect("its owner may");
        assert!(read(&path).is_ok());
    }

    #[test]
    fn a_key_is_exactly_64_hexadecimal_digits() {
        assert!(parse(&"0f".repeat(32)).is_some() && parse(&"0F".repeat(32)).is_some());
        for text in ["", &"0".repeat(63), &"0".repeat(65), &"g0".repeat(32)] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
