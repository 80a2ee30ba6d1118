use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

const COMPLETIONS_EXAMPLES: &str = "Examples:
  tidemill completions bash > ~/.local/share/bash-completion/completions/tidemill
  tidemill completions zsh > ~/.zfunc/_tidemill
  tidemill completions fish > ~/.config/fish/completions/tidemill.fish";

const MAN_EXAMPLES: &str = "Examples:
  tidemill man | man -l -
  tidemill man --dir ~/.local/share/man/man1        one page for each command";

/// Prints what completes this program's command lines in a shell.
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub(crate) struct CompletionsArgs {
    shell: Shell,
}

impl CompletionsArgs {
    pub(crate) fn execute(&self) -> ExitCode {
        let mut command = crate::Cli::command();
        let mut text = vec![];
        clap_complete::generate(self.shell, &mut command, "tidemill", &mut text);
        print!("{}", String::from_utf8_lossy(&text));
        ExitCode::SUCCESS
    }
}

/// Prints the manual page.
#[derive(Debug, Args)]
#[command(after_help = MAN_EXAMPLES)]
pub(crate) struct ManArgs {
    /// Write the page of each command into this folder.
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl ManArgs {
    pub(crate) fn execute(&self) -> anyhow::Result<ExitCode> {
        let command = crate::Cli::command();
        match &self.dir {
            None => {
                let mut page = vec![];
                clap_mangen::Man::new(command).render(&mut page)?;
                print!("{}", String::from_utf8_lossy(&page));
            }
            Some(dir) => {
                std::fs::create_dir_all(dir)
                    .with_context(|| format!("creating {} failed", dir.display()))?;
                clap_mangen::generate_to(command, dir)
                    .with_context(|| format!("writing into {} failed", dir.display()))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
