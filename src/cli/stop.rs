//! How a command is asked to stop: by Ctrl-C, a signal, or the end of the sweep that started it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

use super::terminal::tell;
use crate::sweep::pool::STOPS_WITH_INPUT;

/// A flag that Ctrl-C sets, after a line on stderr where one is given. A Ctrl-C after that ends the program at once.
pub fn stop_on_ctrl_c(line: &'static str) -> anyhow::Result<Arc<AtomicBool>> {
    stop_on(line, false)
}

/// The same for a command that has something to save: SIGTERM, SIGHUP and SIGUSR1 set the flag too. (A terminal that closes may send SIGHUP twice, and
/// nobody is there who could mean anything by it.)
pub fn stop_on_termination(line: &'static str) -> anyhow::Result<Arc<AtomicBool>> {
    stop_on(line, true)
}

fn stop_on(line: &'static str, termination: bool) -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    catch(&stop, line, termination).context("signals such as Ctrl-C cannot be caught on this system")?;
    if std::env::var_os(STOPS_WITH_INPUT).is_some() {
        stop_with_input(Arc::clone(&stop)).context("no thread can be started to watch over the sweep; allow more processes or memory")?;
    }
    Ok(stop)
}

/// The sweep holds the other end of the input, which closes when it asks its runs to stop, and when it ends in whatever way.
fn stop_with_input(stop: Arc<AtomicBool>) -> std::io::Result<()> {
    std::thread::Builder::new().name("input".into()).spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        stop.store(true, Ordering::Relaxed);
    })?;
    Ok(())
}

#[cfg(unix)]
fn catch(stop: &Arc<AtomicBool>, line: &'static str, termination: bool) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
    use signal_hook::flag;
    use signal_hook::iterator::Signals;

    let mut caught = vec![SIGINT];
    if termination {
        // Clusters send SIGUSR1 when the time is nearly up.
        caught.extend([SIGTERM, SIGUSR1]);
        // `nohup` has it ignored.
        caught.extend((!is_ignored(SIGHUP)).then_some(SIGHUP));
    }
    let asked = Arc::new(AtomicBool::new(false));
    // Asked in the order of registration: the flag is not yet set when this sees the first Ctrl-C.
    flag::register_conditional_shutdown(SIGINT, 1, Arc::clone(&asked))?;
    for &signal in &caught {
        flag::register(signal, Arc::clone(&asked))?;
    }
    let is_told = !line.is_empty() && Signals::new(&caught).is_ok_and(|signals| tell_then_stop(signals, line, Arc::clone(stop)));
    if !is_told {
        for &signal in &caught {
            flag::register(signal, Arc::clone(stop))?;
        }
    }
    // What came meanwhile counts, too.
    stop.fetch_or(asked.load(Ordering::Relaxed), Ordering::Relaxed);
    Ok(())
}

/// A thread that has the line printed at the first signal and sets the flag after it, so that the line stands before all that is said of the end; false if none
/// can be started. A reader of stderr that does not read holds nothing up for longer than a second.
#[cfg(unix)]
fn tell_then_stop(mut signals: signal_hook::iterator::Signals, line: &'static str, stop: Arc<AtomicBool>) -> bool {
    let thread = std::thread::Builder::new().name("signals".into()).spawn(move || {
        if signals.forever().next().is_some() {
            let (done, is_done) = std::sync::mpsc::channel();
            let teller = move || {
                tell(line);
                let _ = done.send(());
            };
            let _ = std::thread::Builder::new().name("teller".into()).spawn(teller);
            let _ = is_done.recv_timeout(std::time::Duration::from_secs(1));
            stop.store(true, Ordering::Relaxed);
        }
    });
    thread.is_ok()
}

#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    // SAFETY: without a new action the call only fills in the present one, which all zeros is a value of.
    unsafe {
        let mut present: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut present) == 0 && present.sa_sigaction == libc::SIG_IGN
    }
}

/// Elsewhere there are no such signals.
#[cfg(not(unix))]
fn catch(stop: &Arc<AtomicBool>, line: &'static str, _: bool) -> Result<(), ctrlc::Error> {
    let (stop, asked) = (Arc::clone(stop), AtomicBool::new(false));
    ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            std::process::exit(1);
        }
        if !line.is_empty() {
            tell(line);
        }
        stop.store(true, Ordering::Relaxed);
    })
}

/// Lets a write that passes the system's limit on the size of files fail, with its reason; by default the program would be killed.
pub fn survive_the_limit_on_file_sizes() {
    #[cfg(unix)]
    {
        let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)));
    }
}
