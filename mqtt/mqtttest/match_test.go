package mqtttest

import "testing"

// TestMatch checks the examples of MQTT 5.0, 4.7.1 and 4.7.2.
func TestMatch(t *testing.T) {
	for _, v := range []struct {
		filter, topic string
		want          bool
	}{
		{"sport/tennis/player1/#", "sport/tennis/player1", true},
		{"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
		{"sport/#", "sport", true},
		{"#", "a/b", true},
		{"sport/tennis/+", "sport/tennis/player1", true},
		{"sport/tennis/+", "sport/tennis/player1/ranking", false},
		{"sport/+", "sport", false},
		{"sport/+", "sport/", true},
		{"+/+", "/finance", true},
		{"/+", "/finance", true},
		{"+", "/finance", false},
		{"#", "$SYS/monitor", false},
		{"+/monitor", "$SYS/monitor", false},
		{"$SYS/#", "$SYS/monitor", true},
	} {
		if got := Match(v.filter, v.topic); got != v.want {
			t.Errorf("Match(%q, %q) = %v", v.filter, v.topic, got)
		}
	}
}
