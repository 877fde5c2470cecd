//! `vaultmount s5`: reads and writes the markers of mvisonneau/s5 with the Vault token of the user at the terminal.

mod file; // reads texts, prints them, and replaces files
mod token; // the user's Vault token

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use thiserror::Error;
use url::Url;

use crate::cli::s5::file::{Staged, Text};
use crate::limits::Budget;
use crate::render::s5::{Marker, S5Document, TooLarge, ciphertexts, marker};
use crate::secret::Secret;
use crate::spec::ServerSpec;
use crate::spec::request::plain_path;
use crate::vault::{Batch, Item, Login, NotOpened, Outbound, TokenInfo, VaultError, Vaults};

/// Time for all calls of one command.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Largest rendered text, in bytes: short markers may have long values.
const RENDERED_BYTES: usize = 256 * 1024 * 1024;

/// The subcommand, and the key it uses. Not `Debug`: the text of `cipher` is a secret.
#[derive(Args, Clone)]
pub(crate) struct S5Work {
    /// Mount of the transit engine
    #[arg(long, global = true, value_name = "NAME", default_value = "transit", value_parser = plain_path)]
    pub(crate) transit_mount: String,
    /// Key of the transit engine
    #[arg(long, global = true, value_name = "NAME", default_value = "default", value_parser = plain_path)]
    pub(crate) transit_key: String,
    /// File with the token [default: VAULT_TOKEN or BAO_TOKEN, else ~/.vault-token]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The subcommand.
    #[command(subcommand)]
    pub(crate) command: S5Command,
}

/// The subcommands of `vaultmount s5`.
#[derive(Subcommand, Clone)]
pub(crate) enum S5Command {
    /// Prints the marker of a text
    Cipher {
        /// The text [default: all of stdin, including its last newline]; every user of the machine can see an argument
        text: Option<OsString>,
    },
    /// Prints the text of a marker, byte for byte, without a newline
    Decipher {
        /// A text with one marker [default: stdin]
        marker: Option<OsString>,
    },
    /// Prints files with the values of their markers; prints nothing if one marker cannot be opened
    Render {
        /// The files, printed one after another [default: stdin]
        files: Vec<PathBuf>,
        /// Replaces each file instead of printing it; mode and owner stay
        #[arg(short, long, requires = "files")]
        in_place: bool,
    },
}

/// Why nothing was printed or written. Holds no value.
#[derive(Debug, Error)]
pub(crate) enum S5Error {
    /// No token of the user was found.
    #[error(
        "no token: set VAULT_TOKEN or BAO_TOKEN, log in with the server's own command line (~/.vault-token), or set --token-file"
    )]
    NoToken,
    /// The text to decipher does not have exactly one marker.
    #[error("exactly one marker is wanted, as {{{{ s5:<base64> }}}}; the text has {0}")]
    NotOne(usize),
    /// The rendered text is too large.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The server did not open these markers. One line per marker.
    #[error("{}", lines(.0))]
    NotOpened(Vec<Unopened>),
    /// A call to the server failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Reading or writing a file, stdin or stdout failed.
    #[error("{place}: {doing} failed ({source})")]
    File {
        /// The file's name, or `stdin`, or `stdout`.
        place: String,
        /// The step that failed.
        doing: &'static str,
        /// The error of the system call.
        source: io::Error,
    },
}

/// A marker that was not opened.
#[derive(Debug)]
pub(crate) struct Unopened {
    /// The file's name as on the command line, or `stdin`.
    pub(crate) place: String,
    /// The marker's line, from 1.
    pub(crate) line: usize,
    /// Why it was not opened.
    pub(crate) why: NotOpened,
}

impl fmt::Display for Unopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: a marker cannot be opened: {}", self.place, self.line, self.why)
    }
}

/// Runs the subcommand of `work` with the transit engine of `server`.
pub(crate) async fn s5(work: S5Work, server: ServerSpec, proxy: Option<Url>) -> Result<(), S5Error> {
    let transit = Transit {
        server,
        proxy,
        mount: work.transit_mount,
        key: work.transit_key,
        token_file: work.token_file,
    };
    match work.command {
        S5Command::Cipher { text } => cipher(&transit, text).await,
        S5Command::Decipher { marker } => decipher(&transit, marker).await,
        S5Command::Render { files, in_place } => render(&transit, &files, in_place).await,
    }
}

/// Prints the marker of a text; adds a newline only at a terminal, as mvisonneau/s5 does.
async fn cipher(transit: &Transit, text: Option<OsString>) -> Result<(), S5Error> {
    let text = argument_or_stdin(text)?;
    let ciphertext = transit
        .login()?
        .encrypt(&transit.mount, &transit.key, &text.bytes, &Budget::lasting(TIMEOUT))
        .await?;
    let end = if io::stdout().is_terminal() { "\n" } else { "" };
    file::print(format!("{}{end}", marker(&ciphertext)).as_bytes())
}

async fn decipher(transit: &Transit, text: Option<OsString>) -> Result<(), S5Error> {
    let text = argument_or_stdin(text)?;
    let marked = S5Document::parse(text.bytes.expose());
    let [marker] = marked.markers() else { return Err(S5Error::NotOne(marked.markers().len())) };
    let values = transit.open(&[marker.ciphertext()]).await?;
    let value = value(&values, marker).map_err(|why| S5Error::NotOpened(vec![text.unopened(marker, why)]))?;
    file::print(value.expose())
}

/// Opens all markers of all files with one call. Writes nothing before the last file is rendered.
async fn render(transit: &Transit, files: &[PathBuf], in_place: bool) -> Result<(), S5Error> {
    let texts = if files.is_empty() {
        vec![Text::stdin()?]
    } else {
        files.iter().map(|file| Text::read(file)).collect::<Result<_, _>>()?
    };
    let marked: Vec<_> = texts.iter().map(|text| S5Document::parse(text.bytes.expose())).collect();
    let values = transit.open(&ciphertexts(&marked)).await?;
    let rendered = rendered(&texts, &marked, &values)?;
    if !in_place {
        return rendered.iter().try_for_each(|text| file::print(text.expose()));
    }
    let changed =
        files.iter().zip(&marked).zip(&rendered).filter(|((_, marked), _)| !marked.markers().is_empty());
    let staged: Vec<_> =
        changed.map(|((file, _), text)| Staged::new(file, text)).collect::<Result<_, _>>()?;
    staged.into_iter().try_for_each(Staged::commit)
}

/// Each text with the values of its markers. Fails with all markers that have no value.
fn rendered(texts: &[Text], marked: &[S5Document<'_>], values: &Values<'_>) -> Result<Vec<Secret>, S5Error> {
    let markers = texts
        .iter()
        .zip(marked)
        .flat_map(|(text, marked)| marked.markers().iter().map(move |marker| (text, marker)));
    let unopened: Vec<_> = markers
        .filter_map(|(text, marker)| value(values, marker).err().map(|why| text.unopened(marker, why)))
        .collect();
    if !unopened.is_empty() {
        return Err(S5Error::NotOpened(unopened));
    }
    let render = |(text, marked): (&Text, &S5Document<'_>)| {
        marked.filled(RENDERED_BYTES, |marker| {
            value(values, marker).map_err(|why| S5Error::NotOpened(vec![text.unopened(marker, why)]))
        })
    };
    texts.iter().zip(marked).map(render).collect()
}

/// The value of each ciphertext.
type Values<'c> = HashMap<&'c str, Result<Secret, NotOpened>>;

fn value<'v>(values: &'v Values<'_>, marker: &Marker) -> Result<&'v Secret, NotOpened> {
    values
        .get(marker.ciphertext())
        .map_or(Err(NotOpened::Unclear), |value| value.as_ref().map_err(|why| *why))
}

/// A key of a transit engine, and how to reach the engine.
struct Transit {
    server: ServerSpec,
    proxy: Option<Url>,
    mount: String,
    key: String,
    token_file: Option<PathBuf>,
}

impl Transit {
    /// A login with the user's own token. That token is never revoked.
    fn login(&self) -> Result<Login, S5Error> {
        let token = token::read(self.token_file.as_deref())?;
        let vaults = Vaults::new(Outbound { proxy: self.proxy.clone(), ..Outbound::default() });
        Ok(vaults.server(&self.server)?.with_token(token, TokenInfo::default()))
    }

    /// Opens `ciphertexts` in one call. Needs neither token nor server if there are none.
    async fn open<'c>(&self, ciphertexts: &[&'c str]) -> Result<Values<'c>, S5Error> {
        if ciphertexts.is_empty() {
            return Ok(Values::new());
        }
        let items = ciphertexts.iter().map(|ciphertext| Item { ciphertext, context: None }).collect();
        let batch = Batch { namespace: None, mount: &self.mount, key: &self.key, items };
        let opened = self.login()?.decrypt(&batch, &Budget::lasting(TIMEOUT)).await?.results;
        Ok(ciphertexts.iter().copied().zip(opened).collect())
    }
}

fn argument_or_stdin(argument: Option<OsString>) -> Result<Text, S5Error> {
    argument.map_or_else(Text::stdin, |argument| {
        Ok(Text { place: "the argument".into(), bytes: Secret::from(argument.into_vec()) })
    })
}

fn lines(unopened: &[Unopened]) -> String {
    unopened.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
