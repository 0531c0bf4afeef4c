package inspect

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
)

// exported is a document of the export: always one reading.
type exported struct {
	Gateway  string `json:"gateway"`
	Run      string `json:"run"`
	Sensor   string `json:"sensor"`
	Readings []struct {
		Seq    uint64                     `json:"seq"`
		SeqTo  *uint64                    `json:"seq_to"`
		TS     string                     `json:"ts"`
		Up     *json.Number               `json:"up"`
		Fields map[string]json.RawMessage `json:"fields"`
		Bad    map[string]string          `json:"bad"`
	} `json:"readings"`
}

// WriteCSV turns an export, which lines writes, into lines of one field each. The value of a
// bucket's field is its JSON object.
func WriteCSV(out io.Writer, lines func(io.Writer) error) error {
	read, write := io.Pipe()
	go func() { write.CloseWithError(lines(write)) }() // ends when read is closed
	defer read.Close()
	w := csv.NewWriter(out)
	if err := w.Write([]string{"gateway", "run", "sensor", "seq", "seq_to", "ts", "up", "field", "value", "bad"}); err != nil {
		return err
	}
	in := json.NewDecoder(bufio.NewReader(read))
	for {
		var d exported
		switch err := in.Decode(&d); {
		case errors.Is(err, io.EOF):
			w.Flush()
			return w.Error()
		case err != nil:
			return err
		}
		for _, r := range d.Readings {
			row := []string{d.Gateway, d.Run, d.Sensor, strconv.FormatUint(r.Seq, 10), "", r.TS, "", "", "", ""}
			if r.SeqTo != nil {
				row[4] = strconv.FormatUint(*r.SeqTo, 10)
			}
			if r.Up != nil {
				row[6] = r.Up.String()
			}
			for _, field := range slices.Sorted(maps.Keys(r.Fields)) {
				row[7], row[8], row[9] = field, plain(r.Fields[field]), r.Bad[field]
				if err := w.Write(row); err != nil {
					return err
				}
			}
		}
	}
}

// plain returns a JSON value as a cell: texts without quotes, null as nothing.
func plain(v json.RawMessage) string {
	var text string
	if json.Unmarshal(v, &text) == nil {
		return text // and "" for null
	}
	return string(v)
}
