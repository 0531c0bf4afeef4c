package sizing

import (
	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/bucket"
)

// What the words of the configuration mean to the store; a test compares them with config's.
var (
	policies   = map[string]buffer.Policy{"drop-oldest": buffer.DropOldest, "reject-new": buffer.RejectNew, "thin": buffer.Thin}
	priorities = map[string]buffer.Priority{"low": buffer.Low, "normal": buffer.Normal, "high": buffer.High}
)

// Options returns what a configuration says of the store.
func Options(c *config.Config) buffer.Options {
	b := c.Buffer
	o := buffer.Options{
		MaxLoss: b.MaxLoss, MaxBytes: int64(b.MaxBytes), MinFree: int64(b.MinFree), WhenFull: policies[b.WhenFull], Thin: bucket.Thin,
		Streams: make(map[string]buffer.StreamOptions, len(c.Sensors)),
	}
	for _, s := range c.Sensors {
		o.Streams[s.Name] = buffer.StreamOptions{Priority: priorities[s.Priority], TTL: s.TTL}
	}
	return o
}
