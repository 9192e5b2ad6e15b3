//! Whom to trust: the machine's authorities, Mozilla's where it has none, and those of a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// A file of certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}; give a file in PEM with the certificate of the authority", path.display())]
pub struct CaError {
    path: PathBuf,
    problem: String,
}

/// What makes TLS of a stream.
pub(super) fn connector(ca: Option<&Path>) -> Result<TlsConnector, CaError> {
    let mut roots = RootCertStore::empty();
    // One that does not read is one less to trust; the host's own certificate tells if it was needed.
    let (native, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if native == 0 {
        roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    }
    if let Some(path) = ca {
        add(&mut roots, path).map_err(|problem| CaError { path: path.to_owned(), problem })?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let refused = |problem: rustls::Error| CaError { path: PathBuf::from("TLS"), problem: problem.to_string() };
    let versions =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(refused)?;
    Ok(TlsConnector::from(Arc::new(versions.with_root_certificates(roots).with_no_client_auth())))
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let certificates = CertificateDer::pem_file_iter(path).map_err(|problem| problem.to_string())?;
    let mut count = 0;
    for certificate in certificates {
        let certificate = certificate.map_err(|problem| problem.to_string())?;
        roots.add(certificate).map_err(|problem| problem.to_string())?;
        count += 1;
    }
    if count == 0 { Err("there is no certificate in it".to_owned()) } else { Ok(()) }
}
