import Glibc

// Nothing more here: what belongs to the main actor, as the closures of this file do, brings the runtime of concurrency and
// libdispatch into the binary, 0.9 MB.
exit(run())
