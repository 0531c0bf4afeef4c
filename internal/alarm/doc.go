// Package alarm watches the limits that a configuration sets for fields: it raises an alarm when a
// value has been beyond a limit for long enough, and clears it when the value has come back. What
// becomes of an alarm is the event's receiver's; refused topics and used-up bytes are alarms of
// those who notice them.
package alarm
