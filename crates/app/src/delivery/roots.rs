//! The certificates by which receivers are believed to be who they say they are: the system's, and the operator's own.

use std::io;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Most bytes of a file of certificates: several times what all public roots together have.
pub const ROOT_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A root certificate.
pub type Root = CertificateDer<'static>;

/// Why a file of root certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadRoots {
    /// It cannot be read.
    #[error("{} cannot be read", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// It is larger than [`ROOT_FILE_BYTES_MAX`].
    #[error("{} is larger than {ROOT_FILE_BYTES_MAX} bytes", .0.display())]
    TooLarge(PathBuf),
    /// Something between its `BEGIN CERTIFICATE` and `END CERTIFICATE` lines is not base64, or one of them is missing.
    #[error("{} is not PEM", .0.display())]
    NotPem(PathBuf, #[source] rustls::pki_types::pem::Error),
    /// It holds none.
    #[error("{} holds no certificate (PEM, between BEGIN CERTIFICATE and END CERTIFICATE)", .0.display())]
    Empty(PathBuf),
    /// One of them is not a certificate that others can be judged by.
    #[error("certificate {number} in {} cannot be used as a root", file.display())]
    NotARoot {
        /// The file.
        file: PathBuf,
        /// Which of it, counted from 1.
        number: usize,
        /// What is wrong with it.
        source: rustls::Error,
    },
}

/// Reads a file of root certificates (PEM, one or more). Each is checked as far as can be said without a receiver.
pub fn read_roots(file: &Path) -> Result<Vec<Root>, BadRoots> {
    let unreadable = |error| BadRoots::Unreadable(file.to_owned(), error);
    if std::fs::metadata(file).map_err(unreadable)?.len() > ROOT_FILE_BYTES_MAX {
        return Err(BadRoots::TooLarge(file.to_owned()));
    }
    let text = std::fs::read(file).map_err(unreadable)?;
    let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let roots = roots.map_err(|error| BadRoots::NotPem(file.to_owned(), error))?;
    if roots.is_empty() {
        return Err(BadRoots::Empty(file.to_owned()));
    }
    let mut judged = RootCertStore::empty();
    for (index, root) in roots.iter().enumerate() {
        let not_a_root = |source| BadRoots::NotARoot { file: file.to_owned(), number: index + 1, source };
        judged.add(root.clone()).map_err(not_a_root)?;
    }
    Ok(roots)
}

/// The system's roots and `extra`. What of the system's cannot be used is passed over, and said in the log.
pub(super) fn root_store(extra: &[Root]) -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some of the system's root certificates could not be read");
    }
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs.into_iter().chain(extra.iter().cloned()));
    if added == 0 {
        tracing::warn!(
            "the system has no root certificates: deliveries to https will fail; install ca-certificates"
        );
    }
    roots
}
