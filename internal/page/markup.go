package page

import "strings"

// markup is HTML that is written in this package. A text of somebody else's is a string, which does
// not become markup by itself: the compiler refuses it.
type markup string

// An html is HTML that is being written. Package html/template would do the same and add 2.8 MB to
// the program, since the linker then keeps every method that there is.
type html struct{ strings.Builder }

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;", "\x00", "\uFFFD")

// put writes markup with texts, escaped, in the places of {}: between tags or in an attribute in
// quotes.
func (h *html) put(m markup, texts ...string) {
	rest := string(m)
	for _, t := range texts {
		before, after, found := strings.Cut(rest, "{}")
		if !found {
			panic("page: more texts than places in " + string(m))
		}
		h.WriteString(before)
		_, _ = escaper.WriteString(h, t)
		rest = after
	}
	h.WriteString(rest)
}

// markup returns what was written.
func (h *html) markup() markup { return markup(h.String()) }
