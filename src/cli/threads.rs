//! The threads that a command computes on.

use std::thread::available_parallelism;
use std::time::Duration;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use super::{counted, warn};

/// Runs a command on a thread of rayon's pool, which shares its work instead of sleeping while others do it. Where the system grants too few
/// threads, it runs on as many as there are to be had, and says so.
pub fn on_pool<T: Send>(command: impl FnOnce() -> T + Send) -> T {
    match ThreadPoolBuilder::new().build_global() {
        Ok(()) => rayon::scope(|_| command()),
        Err(error) => match smaller_pool() {
            Ok(pool) => {
                let threads = pool.current_num_threads();
                warn(format_args!(
                    "not all threads could be started ({error}); going on with {}",
                    counted(threads, "thread")
                ));
                pool.install(command)
            }
            // A pool of the present thread alone starts none, so that nothing is left to fail; rayon's own words if it does.
            Err(_) => command(),
        },
    }
}

/// As many threads as there are cores, or half of that, and so on; at last the one that is there.
fn smaller_pool() -> Result<ThreadPool, ThreadPoolBuildError> {
    // The threads of the attempt that failed are still ending.
    std::thread::sleep(Duration::from_millis(100));
    let mut threads = available_parallelism().map_or(1, usize::from);
    while threads > 1 {
        if let Ok(pool) = ThreadPoolBuilder::new().num_threads(threads).build() {
            return Ok(pool);
        }
        threads /= 2;
    }
    ThreadPoolBuilder::new().num_threads(1).use_current_thread().build()
}
