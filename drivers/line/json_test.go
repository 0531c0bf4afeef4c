package line

import (
	"fmt"
	"strings"
	"testing"
)

// What programs and devices print, from the documentation of rtl_433, Tasmota and zigbee2mqtt.
const (
	rtl433  = `{"time" : "2026-11-28 23:01:02", "model" : "Acurite-Tower", "id" : 1234, "channel" : "A", "battery_ok" : 1, "temperature_C" : 21.500, "humidity" : 48, "mic" : "CHECKSUM"}`
	tasmota = `{"Time":"2026-11-28T23:01:02","POWER1":"ON","DS18B20-1":{"Id":"01131B123456","Temperature":-3.4},"AM2301":{"Temperature":null,"Humidity":48.2},"TempUnit":"C"}`
	zigbee  = `{"battery":97,"contact":false,"linkquality":120,"temperature":"21.5","voltage":3005}`
)

func TestJSON(t *testing.T) {
	paths := func(pairs ...string) func(*Options) { // name, path, type
		return func(o *Options) {
			o.Format, o.Fields = "json", map[string]Field{}
			for i := 0; i < len(pairs); i += 3 {
				o.Fields[pairs[i]] = Field{Path: pairs[i+1], Type: pairs[i+2]}
			}
		}
	}
	matching := func(match map[string]Word) func(*Options) {
		return func(o *Options) { paths("temperature_c", "temperature_C", "")(o); o.Match = match }
	}
	neighbour := strings.NewReplacer("1234", "77", "21.500", "5").Replace(rtl433)
	for _, test := range []saying{
		{"rtl_433", paths("temperature", "temperature_C", "", "humidity", "", "int", "battery_ok", "", "bool", "model", "", "string"), []string{rtl433},
			"{battery_ok=true(bool), humidity=48(int), model=Acurite-Tower(string), temperature=21.5(float)}", ""},
		{"Tasmota", paths("outside", "DS18B20-1.Temperature", "", "relay", "POWER1", "bool", "inside", "AM2301.Temperature", ""), []string{tasmota},
			"{inside=bad(not measured), outside=-3.4(float), relay=true(bool)}", ""},
		{"zigbee2mqtt", paths("temperature", "", "", "contact", "", "bool", "missing", "", ""), []string{zigbee},
			"{contact=false(bool), missing=bad(not measured), temperature=21.5(float)}", ""},
		{"digits are kept", paths("total", "", "int", "text", "", "string", "scaled", "", ""), []string{`{"total":9007199254740993,"text":1.50,"scaled":237.73}`},
			"{scaled=237.73(float), text=1.50(string), total=9007199254740993(int)}", ""},
		{"indices", paths("a", "values[1]", "", "b", "values[2].x", "", "c", "values[9]", ""), []string{`{"values":[[9,{"x":8}], 1.5 ,{"y":[],"x":2}]}`},
			"{a=1.5(float), b=2(float), c=bad(not measured)}", ""},
		{"a list at the top", paths("t", "[0].v", "", "h", "[1].v", ""), []string{`[{"n":"t","v":21},{"n":"h","v":40}]`}, "{h=40(float), t=21(float)}", ""},
		{"names with dots and escapes", paths("energy", `1-0:1\.8\.0`, "", "strange", `a"b`, "", "letter", "grün", ""), []string{`{"1-0:1.8.0":1,"a\"b":2,"gr\u00fcn":3}`},
			"{energy=1(float), letter=3(float), strange=2(float)}", ""},
		{"text with escapes", paths("a", "", "string"), []string{`{"a":"x\ty\u00b0\"{"}`}, "{a=x\ty°\"{(string)}", ""},
		{"not of its type", paths("a", "", "", "b", "", "int", "c", "", "bool", "d", "", "", "e", "", ""), []string{`{"a":true,"b":1.5,"c":7,"d":{"x":1},"e":0}`},
			"{a=bad(format), b=bad(format), c=bad(format), d=bad(format), e=0(float)}", ""},
		{"an object and a part of it", paths("a", "o", "", "b", "o.x", ""), []string{`{"o":{"x":1}}`}, "{a=bad(format), b=1(float)}", ""},
		{"the last of two members", paths("a", "", ""), []string{`{"a":1,"a":2}`}, "{a=2(float)}", ""},
		{"NaN of Python", paths("a", "", "", "b", "", "", "c", "", "string"), []string{`{"a": NaN, "b": 5, "c": "NaN, Infinity"}`, `{"a": -Infinity, "b": 6}`},
			"{a=bad(not measured), b=5(float), c=NaN, Infinity(string)};{a=bad(not measured), b=6(float), c=bad(not measured)}", ""},
		{"decimal comma in a text only", func(o *Options) { paths("a", "", "", "b", "", "")(o); o.Decimal = "," }, []string{`{"a":"21,5","b":1.234}`}, "{a=21.5(float), b=1.234(float)}", ""},
		{"invalid", func(o *Options) { paths("a", "", "", "b", "", "")(o); o.Invalid = []Word{"-999", "n/a"} }, []string{`{"a":-999.0,"b":1}`, `{"a":"n/a","b":2}`},
			"{a=bad(not measured), b=1(float)};{a=bad(not measured), b=2(float)}", ""},
		{"none of the fields", paths("a", "", ""), []string{`{"b":1}`, `{}`, `[]`, `7`, `"a"`, `null`, `{"a":null}`, `{"a":3}`}, "{a=3(float)}", ""},
		{"not JSON", paths("a", "", ""), []string{`a=1`, `{"a":1`, `{"a":1}}`, `{'a':1}`, `{"a":01}`, `{"a":3}`}, "{a=3(float)}", ""},
		{"deep", paths("a", "", ""), []string{`{"x":` + strings.Repeat("[", 1500) + strings.Repeat("]", 1500) + `,"a":1}`, strings.Repeat(`{"a":`, 500) + "1" + strings.Repeat("}", 500)}, "{a=1(float)}", ""},
		{"match", matching(map[string]Word{"model": "Acurite-Tower", "id": "1234"}), []string{rtl433, neighbour}, "{temperature_c=21.5(float)}", ""},
		{"match of a number in a text", matching(map[string]Word{"channel": "A", "battery_ok": "1.0"}), []string{rtl433}, "{temperature_c=21.5(float)}", ""},
		{"match of a missing member", matching(map[string]Word{"subtype": ""}), []string{rtl433}, "", "its subtype is not the one that match wants"},
	} {
		test.says = []string{"\n" + strings.Join(test.says, "\n") + "\n"}
		every := test.change
		test.change = func(o *Options) { every(o); o.EveryLine = true }
		t.Run(test.name, test.run)
	}
}

func TestPaths(t *testing.T) {
	for _, test := range []struct{ path, want string }{
		{"a", "[{a -1}]"},
		{"a.b[0][12].c", "[{a -1} {b -1} { 0} { 12} {c -1}]"},
		{"[3]", "[{ 3}]"},
		{`a\.b\[0]`, "[{a.b[0] -1}]"},
		{`a\`, `[{a\ -1}]`},
		{"", "a name is missing"},
		{".a", "a name is missing"},
		{"a.", "a name is missing"},
		{"a..b", "a name is missing"},
		{"a.[0]", "a name is missing"},
		{"a[0]b", "after an index comes a dot"},
		{"a[", "an index is a number"},
		{"a[x]", "an index is a number"},
		{"a[-1]", "an index is a number"},
		{"a[99999]", "an index is a number from 0 to 65535"},
		{strings.Repeat("a.", 16) + "a", "it has 17 steps"},
	} {
		steps, err := parsePath(test.path)
		got := fmt.Sprint(steps)
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("%q: want %s, got %s", test.path, test.want, got)
		}
	}
}
