// Package trial judges a program that an upgrade has installed by what the former one could do: it
// has to reach the broker if the former one had, and read each sensor that the former one could
// read, within gateway.confirm_within; the time adds up over runs that end in order. If it does it
// is confirmed; if not, the next start runs the former program again, which reports why
// (contract.UpdateEvent).
//
// systemd/start, the launcher, chooses the program at each start and counts them; it gives the
// program on trial its ID and the former one the reason, by the environment. It also says what the
// files in the state directory hold. What the former program could do is kept in the store at each
// orderly end (Trial.End).
//
// A program that changes the schema of the store must not do so before it is confirmed, since the
// former one could not open it again. A program that is older than the store's schema cannot open
// it, so it fails its trial at once.
package trial
