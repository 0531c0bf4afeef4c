// Package supervise runs the long-running parts of a program, and knows which of them makes no
// progress any more.
//
// A part promises with each Beat when the next one comes: it is about to wait for that long, and
// what it does then takes Bound at most. One that does not keep its promise is stuck, whatever in:
// a disk that does not answer, a lock that nobody releases, a loop without an end. As long as one
// is, the watchdog is not fed, and whoever set it (systemd) starts the program again.
//
// Time is what the Watch has seen itself, second by second. While the machine sleeps, the process
// is stopped or gets no turn, no time passes for the parts either: they are not taken for stuck
// when it goes on.
package supervise
