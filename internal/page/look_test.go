package page

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/page/browsertest"
)

// audit returns what is wrong with a page for those who do not see it, or see it badly: an empty
// list.
const audit = `(() => {
	const bad = [], all = s => [...document.querySelectorAll(s)];
	for (const one of ["header", "nav[aria-label]", "main", "h1", "html[lang]", "title"])
		if (all(one).length !== 1) bad.push(all(one).length + " of " + one);
	let level = 0;
	for (const h of all("h1, h2, h3, h4")) {
		const n = +h.tagName[1];
		if (n > level + 1) bad.push("heading " + h.innerText + " jumps from " + level + " to " + n);
		if (h.innerText.trim() === "") bad.push("an empty heading");
		level = n;
	}
	const ids = all("[id]").map(e => e.id);
	ids.filter((id, i) => ids.indexOf(id) !== i).forEach(id => bad.push("id twice: " + id));
	for (const e of all("[aria-labelledby], [aria-describedby]"))
		for (const id of (e.getAttribute("aria-labelledby") || e.getAttribute("aria-describedby")).split(" "))
			if (!document.getElementById(id)) bad.push("no element " + id);
	for (const t of all("table")) {
		if ([...t.querySelectorAll("th")].some(h => !h.scope)) bad.push("a header without scope in " + t.innerText);
		if (!t.caption && !t.closest("[aria-label]")) bad.push("a table without a caption");
	}
	for (const s of all("svg"))
		if (s.getAttribute("aria-hidden") !== "true" && !(s.getAttribute("role") === "img" && s.getAttribute("aria-label"))) bad.push("a picture without words: " + s.outerHTML);
	for (const e of all("input:not([type=hidden]):not([hidden]), progress"))
		if (e.labels.length === 0) bad.push("no label: " + e.outerHTML);
	for (const e of all("a, button"))
		if (e.innerText.trim() === "") bad.push("no name: " + e.outerHTML);
	if (all("[style], style, script:not([src])").length > 0) bad.push("style or script inside of the page");

	// WCAG 2: 4.5 to 1, 3 to 1 for large text.
	const parse = c => { const m = c.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
	const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
	const light = c => { const [r, g, b] = c.slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n; (n = walk.nextNode());) {
		const e = n.parentElement, style = getComputedStyle(e);
		if (!n.data.trim() || e.closest(".unseen") || e.getClientRects().length === 0) continue;
		const layers = [];
		for (let p = e; p; p = p.parentElement) layers.unshift(parse(getComputedStyle(p).backgroundColor));
		const back = layers.reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
		const a = light(over(parse(style.color), back)), b = light(back), ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && +style.fontWeight >= 700;
		if (ratio < (large ? 3 : 4.5)) bad.push("contrast " + ratio.toFixed(2) + " of " + n.data.trim() + " " + style.color);
	}
	if (document.documentElement.scrollWidth > document.documentElement.clientWidth) bad.push("it scrolls sideways: " + document.documentElement.scrollWidth + " of " + document.documentElement.clientWidth);
	return bad;
})()`

// TestPagesAreAccessible: landmarks, headings, names, contrast and the keyboard, on every page, in
// both colour schemes and on a phone.
func TestPagesAreAccessible(t *testing.T) {
	s := newSample()
	s.outage()
	_, server := s.serve(t, config.Page{Listen: "127.0.0.1:8080", PasswordFile: "x"})
	b := browsertest.Open(t)
	look := func(path string) {
		t.Helper()
		for _, dark := range []bool{false, true} {
			for _, wide := range []int{1120, 390, 320} {
				b.Look(wide, 844, 1, dark)
				b.Go(server.URL + path)
				if bad := b.Eval(audit).([]any); len(bad) > 0 {
					t.Errorf("%s, dark %v, width %d: %v", path, dark, wide, bad)
				}
			}
		}
	}
	look("/")
	b.Eventually(3*time.Second, "live", `document.querySelector("#lost").hidden`)

	// By the keyboard: the link over the navigation first, then everything that can be used, each
	// seen.
	b.Go(server.URL)
	var path []string
	for range 6 {
		b.Key("Tab")
		path = append(path, b.Text(`document.activeElement.innerText + (getComputedStyle(document.activeElement).outlineStyle === "solid" ? "" : " unseen")`))
	}
	if got := strings.Join(path[:5], "|"); got != "Skip to content|Status|Log|Configuration|Diagnostics" {
		t.Errorf("the keyboard comes along %q", path)
	}

	look("/login")
	b.Eval(`document.querySelector("#password").value = "correct horse"; document.querySelector("form").submit()`)
	b.Eventually(5*time.Second, "signed in", `location.pathname === "/" && document.querySelector("form[action='/logout']") !== null`)
	for _, path := range []string{"/", "/log", "/configuration", "/diagnostics"} {
		look(path)
	}
	if said := b.Said(); len(said) > 0 {
		t.Errorf("the console has %q", said)
	}
}

// TestImages writes the images of docs/images into the folder that FIELDGATE_IMAGES names.
func TestImages(t *testing.T) {
	dir := os.Getenv("FIELDGATE_IMAGES")
	if dir == "" {
		t.Skip("FIELDGATE_IMAGES names no folder")
	}
	s := newSample()
	p, server := s.serve(t, config.Page{Listen: "127.0.0.1:8080"})
	b := browsertest.Open(t)
	full := os.Getenv("FIELDGATE_IMAGES_FULL") != ""
	shoot := func(name string, wide, high int, scale float64, dark bool) {
		b.Look(wide, high, scale, dark)
		p.frames.next = time.Time{} // what is shown now
		b.Go(server.URL)
		if full {
			b.Look(wide, int(b.Eval("document.documentElement.scrollHeight").(float64)), scale, dark)
		}
		if err := os.WriteFile(filepath.Join(dir, name), small(t, b.Screenshot()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	shoot("page-light.png", 1120, 980, 1, false)
	shoot("page-phone.png", 390, 844, 1, false)
	s.outage()
	shoot("page-dark.png", 1120, 980, 1, true)
	shoot("page-dark-phone.png", 390, 844, 1, true)
}

// small returns an image with its 256 most frequent colours, which are nearly all that a page has.
func small(t *testing.T, text []byte) []byte {
	t.Helper()
	from, err := png.Decode(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[color.Color]int{}
	size := from.Bounds()
	for y := range size.Dy() {
		for x := range size.Dx() {
			counts[from.At(x, y)]++
		}
	}
	colours := slices.Collect(maps.Keys(counts))
	slices.SortFunc(colours, func(a, b color.Color) int { return counts[b] - counts[a] })
	to := image.NewPaletted(size, colours[:min(len(colours), 256)])
	draw.Draw(to, size, from, size.Min, draw.Src)
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, to); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
