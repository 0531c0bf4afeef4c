package health

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/link"
	"github.com/fieldgate/fieldgate/internal/sampling"
)

// What `fieldgate status` and the status page say, in the same words. Texts of devices and brokers
// are in it as they came.

// LinkText says whether there is a connection, since when, and if there is none why and what is
// done about it.
func LinkText(s contract.LocalStatus) string {
	h, l := s.Health, s.Health.Link
	switch {
	case l.Connected:
		return fmt.Sprintf("online at %s%s for %v, %s", s.Broker, through(s.Proxy), Seconds(h.Up-l.Since), sinceStart(l))
	case l.Asleep:
		return fmt.Sprintf("%s%s, %s", Asleep(h), within(l.NextAttempt), sinceStart(l))
	}
	return fmt.Sprintf("offline for %v%s", Seconds(h.Up-l.Since), attempts(l))
}

func sinceStart(l contract.LinkHealth) string {
	return fmt.Sprintf("%s up, %s down, %d reconnections", Bytes(float64(l.BytesUp)), Bytes(float64(l.BytesDown)), l.Reconnects)
}

// TrafficText says what the day and the month cost.
func TrafficText(l contract.LinkHealth) string {
	return fmt.Sprintf("%s up, %s down today; %s up, %s down this month (UTC)",
		Bytes(float64(l.BytesUpDay)), Bytes(float64(l.BytesDownDay)), Bytes(float64(l.BytesUpMonth)), Bytes(float64(l.BytesDownMonth)))
}

// QueueText says what waits.
func QueueText(h contract.Health) string {
	q := h.Queue
	return fmt.Sprintf("%d live, %d backlog, %d events; %s of %s%s%s", q.Live, q.Backlog, q.Events, Bytes(float64(q.Bytes)), Bytes(float64(q.MaxBytes)), oldest(q.OldestAge), drainDelay(h))
}

// RatesText says how the queue moves, and when it is empty or full.
func RatesText(q contract.QueueHealth) string {
	text := fmt.Sprintf("%.1f/s in, %.1f/s out", q.RateIn, q.RateOut)
	if f := Forecast(q); f != "" {
		text += "; " + f
	}
	return text
}

// Forecast says in which time the queue is empty or full; "" if neither is in sight.
func Forecast(q contract.QueueHealth) string {
	switch drain, full := q.SecondsToDrain, q.HoursToFull; {
	case drain != nil && *drain >= 1:
		return "drained in " + Span(Seconds(*drain))
	case full != nil && *full < 24*365:
		return "full in " + Span(Seconds(*full*3600))
	}
	return ""
}

// DeliveredText says what became of the readings since the start.
func DeliveredText(q contract.QueueHealth) string {
	text := fmt.Sprintf("%d readings of %d; dropped %d, expired %d, thinned %d, refused %d",
		q.Delivered, q.Appended, q.Evicted+q.Rejected, q.Expired, q.Thinned, q.Refused)
	if q.Unrouted > 0 {
		text += fmt.Sprintf("; %d without a subscriber", q.Unrouted)
	}
	return text
}

// FlashText says what the store wrote.
func FlashText(f contract.FlashHealth) string {
	return fmt.Sprintf("%s in %d commits%s", Bytes(float64(f.Bytes)), f.Commits, aDay(f.BytesPerDay))
}

// CardText says what the device below the store bears.
func CardText(d *contract.FlashDevice) string {
	text := fmt.Sprintf("%s written to %s by all programs%s", Bytes(float64(d.Bytes)), d.Name, aDay(d.BytesPerDay))
	if d.Years != nil {
		text += fmt.Sprintf("; a new card lasts %.1f years", *d.Years)
	}
	return text
}

// Complaints are what is wrong with a sensor, a line each.
func Complaints(v contract.SensorHealth) (lines []string) {
	if v.Flaps > 0 {
		lines = append(lines, fmt.Sprintf("it is flapping: %d changes within a minute", v.Flaps))
	}
	if v.Error != "" && v.State != string(sampling.Bad) { // there it is what the fields say
		lines = append(lines, v.Error)
	}
	for _, field := range slices.Sorted(maps.Keys(v.Bad)) {
		lines = append(lines, field+": "+v.Bad[field])
	}
	return lines
}

// through says that there is a proxy.
func through(proxy string) string {
	if proxy == "" {
		return ""
	}
	return " through the proxy " + proxy
}

// aDay is what is written in a day at the present rate; nothing if the gateway has not run long
// enough to say so.
func aDay(bytes float64) string {
	if bytes == 0 {
		return ""
	}
	return fmt.Sprintf("; %s a day", Bytes(bytes))
}

// attempts says what is done about a link that is down, and why it is.
func attempts(l contract.LinkHealth) (text string) {
	if l.Attempts > 0 {
		text = ", " + link.Attempts(l.Attempts)
	}
	if l.NextAttempt != nil {
		text += fmt.Sprintf(", the next in %v", Seconds(*l.NextAttempt))
	}
	if l.Error != "" {
		text += ": " + l.Error
	}
	return text
}

// within says in how many seconds.
func within(s *float64) string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf(" (in %v)", Seconds(*s))
}

func oldest(age float64) string {
	if age < 1 {
		return ""
	}
	return fmt.Sprintf("; oldest %v", Seconds(age))
}

// drainDelay says until when the backlog waits after a connection.
func drainDelay(h contract.Health) string {
	if h.Queue.BacklogWait == nil {
		return ""
	}
	return "; the backlog waits " + Until(h, *h.Queue.BacklogWait) + " (mqtt.drain_delay_max)"
}

// Seconds returns whole seconds.
func Seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Second)
}

// Span writes how long something lasts with its two largest units.
func Span(d time.Duration) string {
	d = d.Round(time.Second)
	day := 24 * time.Hour
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return d.String()
	case d < time.Hour:
		return fmt.Sprintf("%dm %02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh %02dm", d/time.Hour, d%time.Hour/time.Minute)
	case d < 100*day:
		return fmt.Sprintf("%dd %dh", d/day, d%day/time.Hour)
	}
	return fmt.Sprintf("%d days", d/day)
}

// Bytes writes a number of bytes with the unit that suits it.
func Bytes(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if n < 1024 {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", n), ".0") + " " + unit
		}
		n /= 1024
	}
	return fmt.Sprintf("%.1f TiB", n)
}
