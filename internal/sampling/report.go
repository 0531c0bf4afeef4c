package sampling

import (
	"context"
	"log/slog"
	"strings"
	"unicode"
)

// setCondition changes the condition.
func (l *loop) setCondition(c Condition, err error) {
	l.update(func(s *State) { s.setCondition(c, err) })
}

// update changes the state, and reports what is new about it.
func (l *loop) update(change func(*State)) {
	l.mu.Lock()
	before := l.state
	change(&l.state)
	if l.state.Condition != before.Condition {
		l.state.Since = l.deps.Up()
	}
	s := l.state
	l.mu.Unlock()
	switch n := newsOf(s, before); n {
	case news{}:
		return
	case news{bad: true}: // it concerns fields, which come and go in sensors that are well
		l.fields.due(l.deps.Up())
		if l.fields.change(l.deps.Up()) && !l.damper.flapping {
			l.report(s)
		}
		return
	}
	if !l.damper.change(l.deps.Up()) {
		return
	}
	if l.damper.flapping {
		l.reportFlapping(l.damper.changes)
		return
	}
	l.report(s)
}

// news is what differs between two states of a sensor.
type news struct{ condition, err, bad, sink bool }

func newsOf(s, was State) news {
	return news{
		condition: s.Condition != was.Condition,
		err:       s.Condition != Stale && s.Err != was.Err && kind(s.Err) != kind(was.Err),
		bad:       s.badSet != was.badSet,
		sink:      (s.SinkErr == "") != (was.SinkErr == ""),
	}
}

// report logs what is new since it was last reported, and passes on what matters to others.
func (l *loop) report(s State) {
	n, was := newsOf(s, l.reported), l.reported
	l.reported = s
	level := slog.LevelInfo
	if s.Err != "" || len(s.Bad) > 0 {
		level = slog.LevelWarn
	}
	switch {
	case n.condition:
		l.log(level, "sensor changed state", s, "was", string(was.Condition), "for", s.Since-was.Since)
	case n.err:
		l.log(level, "sensor fails for another reason", s, "was", was.Err)
	case n.bad && len(s.Bad) > 0:
		l.log(level, "fields of the sensor have no value", s)
	case n.bad:
		l.log(level, "all fields of the sensor have values again", s)
	}
	l.logSink(s, was)
	if n.condition || n.err || n.sink {
		l.deps.OnState(s)
	}
}

// logSink logs that the sink began or ceased to refuse readings since it was last reported.
func (l *loop) logSink(s, was State) {
	switch {
	case (s.SinkErr == "") == (was.SinkErr == ""):
	case s.SinkErr != "":
		l.deps.Log.Warn("readings are not stored", "sensor", s.Sensor, "err", s.SinkErr)
	default:
		l.deps.Log.Info("readings are stored again", "sensor", s.Sensor, "rejected", s.Rejected)
	}
}

// reportFlapping reports that a sensor has changed too often within the last minute.
func (l *loop) reportFlapping(changes int) {
	l.mu.Lock()
	l.state.Flaps = changes
	s := l.state
	l.mu.Unlock()
	l.logSink(s, l.reported)
	l.reported = s
	l.log(slog.LevelWarn, "sensor is flapping; reporting once a minute", s, "changes", changes)
	l.deps.OnState(s)
}

// reportSpan reports the state of a sensor that flapped in the minute that is over, if one is.
func (l *loop) reportSpan() {
	changes, over := l.damper.due(l.deps.Up())
	switch {
	case !over:
	case l.damper.flapping:
		l.reportFlapping(changes)
	default:
		l.mu.Lock()
		l.state.Flaps = 0
		s := l.state
		l.mu.Unlock()
		l.logSink(s, l.reported)
		l.reported = s
		l.log(slog.LevelInfo, "sensor is no longer flapping", s, "changes", changes)
		l.deps.OnState(s)
	}
}

func (l *loop) log(level slog.Level, message string, s State, more ...any) {
	args := append([]any{"sensor", s.Sensor, "bus", l.config.Bus, "state", string(s.Condition)}, more...)
	if len(s.Bad) > 0 && s.Condition != Bad { // there it is in Err
		args = append(args, "bad", list(s.Bad))
	}
	l.deps.Log.Log(context.Background(), level, message, append(args, "err", s.Err)...)
}

// kind is an error's text without what may differ each time: words with a digit, and the bytes of a
// frame.
func kind(err string) string {
	var words []string
	for word := range strings.FieldsSeq(err) {
		if len(word) > 2 && !strings.ContainsFunc(word, unicode.IsDigit) {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}
