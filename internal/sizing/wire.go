package sizing

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/compress"
	"github.com/fieldgate/fieldgate/internal/payload"
	"github.com/fieldgate/fieldgate/internal/payload/formats"
)

const (
	// packetCost is what a PUBLISH of telemetry has besides topic, Content Type and payload:
	// header, identifier and the lengths of its properties.
	packetCost = 16
	// encodingCost is the user property of a compressed one.
	encodingCost = 25
	// ackCost is a PUBACK and, each way, a record of TLS.
	ackCost = 4 + 2*22
)

// A Wire is what live telemetry costs the line, TCP and IP not counted.
type Wire struct {
	BytesPerReading float64
	BytesPerDay     float64
	PerMessage      float64 // readings, as a mean
	Last            float64 // bytes a day of P/last, of BytesPerDay
}

// MeasureWire renders a sample of each enabled sensor as the configuration has it sent. Values vary
// at random, as those of Measure do. What filters drop is not taken into account.
func MeasureWire(c *config.Config) (w Wire, err error) {
	compressor, err := compress.New(c.Telemetry.Compress)
	if err != nil {
		return w, err
	}
	var readings, messages float64 // a day
	for i := range c.Sensors {
		s := &c.Sensors[i]
		if !s.Enabled || s.Every <= 0 {
			continue
		}
		encoder := formats.New(c.Telemetry.Format)
		n := perMessage(c, s, encoder)
		text, err := sampleBatch(c, s, encoder, n)
		if err != nil {
			return w, err
		}
		size := len(text)
		if compressor != nil {
			if small := len(compressor.Append(nil, text)) + encodingCost; small < size {
				size = small
			}
		}
		perDay := 24 * time.Hour.Seconds() / s.Every.Seconds()
		topic := len(c.Gateway.TopicPrefix) + len(c.Gateway.ID) + len(s.Name) + len("//telemetry/")
		message := float64(size + packetCost + topic + len(encoder.ContentType()) + ackCost)
		readings += perDay
		messages += perDay / float64(n)
		w.BytesPerDay += perDay / float64(n) * message
		if s.Last {
			one, err := sampleBatch(c, s, encoder, 1)
			if err != nil {
				return w, err
			}
			w.Last += min(perDay, 24*time.Hour.Seconds()) / float64(n) * float64(len(one)+packetCost+topic+len(encoder.ContentType())+ackCost)
		}
	}
	if readings > 0 {
		w.BytesPerDay += w.Last
		w.BytesPerReading, w.PerMessage = w.BytesPerDay/readings, readings/messages
	}
	return w, nil
}

// perMessage returns how many live readings of a sensor share a message.
func perMessage(c *config.Config, s *config.Sensor, encoder payload.Encoder) int {
	waits := c.Linger(s.Name)
	if c.MQTT.Online > 0 {
		waits = time.Duration(c.MQTT.Online)
	}
	n := float64(waits) / float64(s.Every)
	if c.MQTT.Online == 0 {
		n++ // the first one waits, and those that come meanwhile
	}
	return int(max(math.Min(n, float64(batchMax(c, encoder))), 1))
}

// batchMax returns how many readings a message may have.
func batchMax(c *config.Config, encoder payload.Encoder) int {
	if m := encoder.BatchMax(); m > 0 {
		return min(c.Telemetry.BatchMax, m)
	}
	return c.Telemetry.BatchMax
}

// sampleBatch renders n readings of a sensor.
func sampleBatch(c *config.Config, s *config.Sensor, encoder payload.Encoder, n int) ([]byte, error) {
	source := newSource(s)
	b := payload.Batch{Gateway: c.Gateway.ID, Run: "3f9c61a2b07d", Sensor: s.Name, Labels: payload.Labels(c)[s.Name]}
	for i := range n {
		at := time.Unix(1_795_000_000, 0).Add(time.Duration(i) * s.Every)
		b.Readings = append(b.Readings, payload.Reading{Seq: uint64(i) + 1000, Time: at, Body: append([]byte(nil), source.body()...)})
	}
	text, err := encoder.Append(nil, &b)
	if err != nil {
		return nil, fmt.Errorf("sample of sensor %s: %w", s.Name, err)
	}
	return text, nil
}

// WaitingCost says what it costs the card that readings wait, for company or for the next
// connection, for longer than they may be in RAM alone, in a sentence; "" if they do not.
func WaitingCost(ctx context.Context, c *config.Config) (string, error) {
	longest, why := time.Duration(c.MQTT.Online), "the next connection (mqtt.online)"
	for i := range c.Sensors {
		if s := &c.Sensors[i]; s.Enabled && c.Linger(s.Name) > longest {
			longest, why = c.Linger(s.Name), fmt.Sprintf("company (linger of sensor %q)", s.Name)
		}
	}
	if most := batchMax(c, formats.New(c.Telemetry.Format)); most == 1 && c.MQTT.Online == 0 && longest > 0 {
		return fmt.Sprintf("linger has no effect: with format = %q and batch_max = %d each message has one reading", c.Telemetry.Format, c.Telemetry.BatchMax), nil
	}
	if longest <= c.Buffer.MaxLoss/2 {
		return "", nil
	}
	e, err := Measure(ctx, c)
	if err != nil {
		return "", err
	}
	advice := fmt.Sprintf("buffer.max_loss = %q avoids that, and is then the most that a power cut may cost", config.DurationText(2*longest+time.Minute))
	if 2*longest+time.Minute > config.MaxLossMax {
		advice = fmt.Sprintf("less than %s with buffer.max_loss = %q avoids that", config.DurationText(config.MaxLossMax/2), config.DurationText(config.MaxLossMax))
	}
	return fmt.Sprintf("readings wait up to %s for %s, longer than half of buffer.max_loss (%s): they are written to the card before they are sent, about %s a day; %s",
		config.DurationText(longest), why, config.DurationText(c.Buffer.MaxLoss), config.Size(e.rate*86400*e.written).Rounded(), advice), nil
}
