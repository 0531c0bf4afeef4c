package page

import (
	"net/http"
	"slices"
	"strconv"
)

// about is what each page shows.
type about struct {
	title, gateway string
	signedIn       bool
	page           string // of a frame: the page is live; "": it is not
}

// begin writes what is above the content of a page.
func (a about) begin(h *html) {
	h.put(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>{} · {} · fieldgate</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/page.css">
`, a.title, a.gateway)
	if a.page != "" {
		h.put(`<script src="/page.js" defer></script>
<noscript><meta http-equiv="refresh" content="10"></noscript>
`)
	}
	h.put(`</head>
<body data-page="{}">
<a class="skip" href="#main">Skip to content</a>
<header class="bar">
<div class="who"><svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><path d="M5 21V11M12 25V7M20 25V7M27 21V11M5 16h22"/></svg><h1>{}</h1></div>
<nav aria-label="Pages"><ul>
`, a.page, a.gateway)
	for _, p := range []struct{ path, title string }{{"/", "Status"}, {"/log", "Log"}, {"/configuration", "Configuration"}, {"/diagnostics", "Diagnostics"}} {
		h.put(`<li><a href="{}"`, p.path)
		if p.title == a.title {
			h.put(` aria-current="page"`)
		}
		h.put(">{}</a></li>\n", p.title)
	}
	if a.signedIn {
		h.put(`<li><form method="post" action="/logout"><button type="submit" class="link">Sign out</button></form></li>
`)
	}
	h.put(`</ul></nav>
</header>
`)
}

func (p *Page) about(title string, r *http.Request) about {
	return about{title: title, gateway: p.cfg.Gateway, signedIn: p.gate.open(p.token(r))}
}

func (p *Page) serveState(w http.ResponseWriter, r *http.Request) {
	f := p.frame()
	a := p.about("Status", r)
	a.page = f.page
	var h html
	a.begin(&h)
	h.put(`<p id="lost" class="lost" role="alert" hidden></p>
<main id="main" tabindex="-1">
<div class="now"><div id="state">`)
	h.put(f.part("state"))
	h.put(`</div><p class="at">as of <time id="at">{}</time></p></div>
<p id="announce" class="unseen" role="status" aria-live="polite">`, f.time)
	h.put(f.part("announce"))
	h.put(`</p>
<section aria-label="Summary"><div id="tiles" class="tiles">`)
	h.put(f.part("tiles"))
	h.put(`</div></section>
<div id="problems">`)
	h.put(f.part("problems"))
	h.put(`</div>
<section aria-labelledby="h-sensors"><h2 id="h-sensors">Sensors</h2>
<div class="sensors">
`)
	for i, name := range f.sensors {
		id := sensorID(i)
		h.put(`<article class="card" id="{}" aria-label="Sensor {}">`, id, name)
		h.put(f.part(id))
		h.put("</article>\n")
	}
	if len(f.sensors) == 0 {
		h.put(`<p class="card">The configuration has no sensors: add a [[sensor]] to it. <code>fieldgate scan</code> finds what is attached.</p>`)
	}
	h.put(`</div></section>
<div class="columns">
`)
	for _, c := range []struct{ id, title string }{{"link", "Link"}, {"card", "Card"}, {"queue", "Queue"}, {"losses", "Losses"}, {"remote", "Commands and shadow"}} {
		h.put(`<section class="card" aria-labelledby="h-{}"><h2 id="h-{}">{}</h2><div id="{}">`, c.id, c.id, c.title, c.id)
		h.put(f.part(c.id))
		h.put("</div></section>\n")
	}
	h.put(`</div>
</main>
<footer id="identity">`)
	h.put(f.part("identity"))
	h.put(`</footer>
</body></html>
`)
	send(w, http.StatusOK, &h)
}

func (p *Page) serveLog(w http.ResponseWriter, r *http.Request) {
	var h html
	p.about("Log", r).begin(&h)
	h.put(`<main id="main" tabindex="-1"><h2>Log</h2>
`)
	lines := p.cfg.Lines(shownLines)
	if len(lines) == 0 {
		h.put(`<p>Nothing was logged yet.</p>`)
	} else {
		h.put(`<p class="meta">What was logged since the start of the program, the newest of {} lines first. The journal has more: <code>journalctl -u fieldgate</code></p>
<pre class="log" tabindex="0" role="region" aria-label="Log lines">`, strconv.Itoa(len(lines)))
		for _, line := range slices.Backward(lines) {
			h.put("{}\n", line)
		}
		h.put(`</pre>`)
	}
	h.put("\n</main></body></html>\n")
	send(w, http.StatusOK, &h)
}

func (p *Page) serveFiles(w http.ResponseWriter, r *http.Request) {
	s := p.cfg.View.Status()
	var h html
	p.about("Configuration", r).begin(&h)
	h.put(`<main id="main" tabindex="-1"><h2>Configuration</h2>
<p class="meta">What the files set. What may be a secret is hidden. All values in force, with the defaults: <code>fieldgate check -v</code></p>
`)
	if s.Config != "current" {
		h.put(`<div class="notice bad"><p>The files are wrong; this is the last configuration that worked.</p><ul>`)
		for _, line := range s.Problem {
			h.put(`<li>{}</li>`, line)
		}
		h.put("</ul></div>\n")
	}
	h.put(`<div class="scroll" tabindex="0" role="region" aria-label="Configuration keys"><table class="keys"><thead><tr><th scope="col">Key</th><th scope="col">Value</th><th scope="col">Where</th></tr></thead><tbody>
`)
	for _, f := range p.cfg.Files() {
		h.put(`<tr><th scope="row">{}</th><td>{}</td><td class="meta">{}</td></tr>`+"\n", f.Key, f.Value, f.From)
	}
	h.put("</tbody></table></div>\n</main></body></html>\n")
	send(w, http.StatusOK, &h)
}

func (p *Page) serveDiagnostics(w http.ResponseWriter, r *http.Request) {
	var h html
	p.about("Diagnostics", r).begin(&h)
	h.put(`<main id="main" tabindex="-1"><section class="card form"><h2>Diagnostics</h2>
<p>A ZIP file for whoever helps to find a fault: status, history of the link, commands, losses, log, configuration and figures of the process.</p>
<p>It has no secrets, but the names of hosts, sensors and topics. Look into it before you publish it.</p>
<p><a class="button" href="/diagnostics.zip" download>Download diagnostics</a></p>
</section></main></body></html>
`)
	send(w, http.StatusOK, &h)
}

// sendLogin sends the form. problem says why the last try did not sign in, "" if there was none.
func (p *Page) sendLogin(w http.ResponseWriter, r *http.Request, code int, next, problem string) {
	var h html
	p.about("Sign in", r).begin(&h)
	h.put(`<main id="main" tabindex="-1"><section class="card form"><h2>Sign in</h2>
<form method="post" action="/login">
<input type="hidden" name="next" value="{}">
<input type="text" name="username" value="{}" autocomplete="username" hidden>
`, next, p.cfg.Gateway)
	described := markup("")
	if problem != "" {
		h.put(`<p class="error" id="error" role="alert">{}</p>
`, problem)
		described = ` aria-describedby="error" aria-invalid="true"`
	}
	h.put(`<label for="password">Password</label>
<input id="password" name="password" type="password" required autofocus autocomplete="current-password"`)
	h.put(described)
	h.put(`>
<button type="submit">Sign in</button>
</form>
<p class="meta">It is in the file that page.password_file or page.password_credential names.</p>
</section></main></body></html>
`)
	send(w, code, &h)
}

// sendNoPassword says that there is nothing to sign in with.
func (p *Page) sendNoPassword(w http.ResponseWriter, r *http.Request) {
	var h html
	p.about("Not shown", r).begin(&h)
	h.put(`<main id="main" tabindex="-1"><section class="card form"><h2>Not shown without a password</h2>
<p>The log, the configuration and the diagnostics are shown after signing in, and no password is set. To set one, write it into a file that the gateway may read, and name the file in the configuration:</p>
<pre tabindex="0" role="region" aria-label="Example">[page]
password_file = "/etc/fieldgate/page-password"</pre>
<p>Then <code>fieldgate reload</code>.</p>
</section></main></body></html>
`)
	send(w, http.StatusForbidden, &h)
}

func send(w http.ResponseWriter, code int, h *html) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(h.String()))
}
