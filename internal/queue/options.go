package queue

import (
	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/thin"
)

// Options returns what a configuration says of the store.
func Options(c *config.Config) buffer.Options {
	b := c.Buffer
	policies := map[string]buffer.Policy{"drop-oldest": buffer.DropOldest, "reject-new": buffer.RejectNew, "thin": buffer.Thin}
	priorities := map[string]buffer.Priority{"low": buffer.Low, "normal": buffer.Normal, "high": buffer.High}
	o := buffer.Options{
		MaxLoss: b.MaxLoss, MaxBytes: int64(b.MaxBytes), MinFree: int64(b.MinFree), WhenFull: policies[b.WhenFull], Thin: thin.Records,
		Streams: make(map[string]buffer.StreamOptions, len(c.Sensors)),
	}
	for _, s := range c.Sensors {
		o.Streams[s.Name] = buffer.StreamOptions{Priority: priorities[s.Priority], TTL: s.TTL}
	}
	return o
}
