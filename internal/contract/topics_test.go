package contract_test

import (
	"testing"

	"github.com/fieldgate/fieldgate/internal/contract"
)

// A reply may go only where the asker could do no harm by it.
func TestMayReply(t *testing.T) {
	for _, tt := range []struct {
		topic   string
		filters []string
		want    bool
	}{
		{"my/answers", nil, true},
		{"a/b/g/telemetry", nil, true},
		{"a/bb", nil, true},
		{"a", nil, true},
		{"", nil, false},
		{"$SYS/broker", nil, false},
		{"$share/x/y", []string{"#"}, false},
		{"a/+", nil, false},
		{"a/\x1bc", nil, false},
		{"zigbee2mqtt/plug/cmd", nil, false},
		{"other/g/shadow/desired", nil, false},
		{"a/b", nil, true}, // the prefix is a/b/c
		{"a/b/c", nil, false},
		{"a/b/c/g", nil, false},
		{"a/b/c/g/status", nil, false},
		{"a/b/c/other/telemetry/hall", nil, false},
		{"a/b/c/other/cmd/restart", nil, false},
		{"a/b/c/other/reply", nil, false},
		{"a/b/c/other/reply/x", nil, true},
		{"a/b/c/other/reply/x/y", []string{"nothing"}, true},
		{"a/b/c/other/telemetry/hall", []string{"#", "a/b/c/#"}, false},
		{"my/answers", []string{"answers/#", "my/+"}, true},
		{"my/answers/1", []string{"answers/#", "my/+"}, false},
		{"my/answers", []string{"my/answers/#"}, true},
		{"answers", []string{"answers/#"}, true},
		{"tasmota/plug/cmd", []string{"tasmota/+/cmd"}, true},
		{"x", []string{"answers/#"}, false},
	} {
		if got := contract.NewTopics("a/b/c", "g").MayReply(tt.topic, tt.filters); got != tt.want {
			t.Errorf("%q with %q: want %v, got %v", tt.topic, tt.filters, tt.want, got)
		}
	}
}
