//! One request to the fetcher over TLS, and what its answer means.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use kube2hadoop_client::contract::{
    CLIENT_PATIENCE, MAX_RESPONSE_BYTES, Problem, REQUEST_ID_HEADER, TokenResponse,
};
use kube2hadoop_client::credentials::Credentials;
use rustls::crypto::CryptoProvider;
use ureq::http::{Response, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};
use zeroize::Zeroizing;

use super::failure::Failure;
use super::service_account::Bearer;
use super::settings::{LONGEST_DEADLINE, Settings};
use super::trust;

/// A Service whose endpoints are gone drops packets: waiting longer for a connection has no use.
const CONNECT: Duration = Duration::from_secs(5);
const MAX_PROBLEM_BYTES: u64 = 64 * 1024;

/// One request to the fetcher and its answer, or the failure.
pub(super) struct Exchange {
    agent: Agent,
    provider: Arc<CryptoProvider>,
    url: String,
    body: Vec<u8>,
}

impl Exchange {
    pub(super) fn new(settings: &Settings) -> Self {
        let provider = Arc::new(tls13_provider());
        let roots = trust::in_force(settings);
        let roots = roots.iter().map(|ca| Certificate::from_der(ca).to_owned());
        let roots: Vec<_> = roots.collect();
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(provider.clone())
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .build();
        // No proxy from the environment and no redirect: the bearer token goes to one place only.
        let config = Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .max_idle_connections(0)
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("kube2hadoop-client/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            agent: config.into(),
            provider,
            url: settings.url.clone(),
            body: settings.request.clone(),
        }
    }

    /// A random number for the jitter.
    pub(super) fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        // Without randomness: the longest wait.
        match self.provider.secure_random.fill(&mut bytes) {
            Ok(()) => u64::from_le_bytes(bytes),
            Err(_) => u64::MAX,
        }
    }

    pub(super) fn ask(
        &self,
        bearer: &Bearer,
        remaining: Duration,
    ) -> Result<TokenResponse, Failure> {
        let response = self
            .agent
            .post(&self.url)
            .config()
            .timeout_global(Some(CLIENT_PATIENCE.min(remaining)))
            .build()
            .header(header::AUTHORIZATION, bearer.header())
            .header(header::CONTENT_TYPE, "application/json")
            .send(&self.body[..])
            .map_err(|error| self.transport(&error))?;
        match response.status().as_u16() {
            200 => self.answer(response),
            _ => Err(self.refusal(response, bearer)),
        }
    }

    fn answer(&self, response: Response<Body>) -> Result<TokenResponse, Failure> {
        let request_id = request_id(&response);
        let unusable = |reason: String| Failure::Protocol {
            reason,
            request_id: request_id.clone(),
        };
        let body = self.read(response, MAX_RESPONSE_BYTES as u64)?;
        let answer: TokenResponse =
            serde_json::from_slice(&body).map_err(|error| unusable(error.to_string()))?;
        // A damaged file shows in the application only, as an error that leads nowhere.
        Credentials::parse(answer.credentials.expose())
            .map_err(|error| unusable(format!("credentials: {error}")))?;
        // It would leave nobody to trust.
        let ca = answer.ca.as_deref();
        if ca.is_some_and(|pem| trust::certificates(pem.as_bytes()).is_none()) {
            return Err(unusable(
                "ca: it holds no certificates in PEM form".to_owned(),
            ));
        }
        Ok(answer)
    }

    fn refusal(&self, response: Response<Body>, bearer: &Bearer) -> Failure {
        let status = response.status().as_u16();
        let retry_after = retry_after(&response);
        let request_id = request_id(&response);
        let Some(mut problem) = self
            .read(response, MAX_PROBLEM_BYTES)
            .ok()
            .and_then(|body| serde_json::from_slice::<Problem>(&body).ok())
        else {
            return Failure::Status {
                status,
                request_id,
                retry_after,
            };
        };
        // The text is shown to whoever may describe the pod, whatever it is that answered.
        problem.detail = bearer.removed_from(&problem.detail);
        problem.request_id = problem.request_id.or(request_id);
        Failure::Problem {
            problem: Box::new(problem),
            retry_after,
        }
    }

    fn read(&self, response: Response<Body>, limit: u64) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let body = response.into_body();
        let announced = body.content_length().unwrap_or(64 * 1024).min(limit);
        // Reserved at once, as far as it is known: a buffer that grows leaves copies behind.
        let capacity = usize::try_from(announced).unwrap_or(0) + 1;
        let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
        body.into_with_config()
            .limit(limit)
            .reader()
            .read_to_end(&mut bytes)
            .map_err(|error| self.transport(&error.into()))?;
        Ok(bytes)
    }

    fn transport(&self, error: &ureq::Error) -> Failure {
        use rustls::Error::{InvalidCertificate, NoCertificatesPresented};
        if let Some(error @ (InvalidCertificate(_) | NoCertificatesPresented)) = tls_error(error) {
            let reason = error.to_string();
            return Failure::Untrusted { reason };
        }
        match error {
            ureq::Error::HostNotFound => Failure::Name {
                host: host(&self.url),
            },
            ureq::Error::BodyExceedsLimit(limit) => Failure::Protocol {
                reason: format!("it is longer than {limit} bytes"),
                request_id: None,
            },
            ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => Failure::Protocol {
                reason: error.to_string(),
                request_id: None,
            },
            ureq::Error::Timeout(phase) => Failure::Timeout {
                phase: phase.to_string(),
            },
            _ => Failure::Unreachable {
                reason: error.to_string(),
            },
        }
    }
}

/// Both ends are ours, so nothing older than TLS 1.3 is spoken, whatever other crates switch on.
fn tls13_provider() -> CryptoProvider {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider
        .cipher_suites
        .retain(|suite| suite.tls13().is_some());
    provider
}

fn tls_error(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

fn host(url: &str) -> String {
    let authority = url.trim_start_matches("https://").split('/').next();
    authority.unwrap_or_default().to_owned()
}

/// Seconds only; a date would need the clocks to agree. What lies beyond every deadline is as good as the longest.
fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let value = response.headers().get(header::RETRY_AFTER)?;
    let seconds: u64 = value.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(LONGEST_DEADLINE)))
}

fn request_id(response: &Response<Body>) -> Option<String> {
    let value = response.headers().get(REQUEST_ID_HEADER)?;
    value.to_str().ok().map(|id| id.chars().take(100).collect())
}

#[cfg(test)]
mod tests {
    use kube2hadoop_client::contract::FETCHER_PATIENCE;

    use super::*;

    #[test]
    fn the_fetcher_gives_up_first_however_long_connecting_takes() {
        assert!(CONNECT + FETCHER_PATIENCE <= CLIENT_PATIENCE);
    }
}
