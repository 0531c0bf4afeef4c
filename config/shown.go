package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// hidden stands for a value that may be a secret.
const hidden = "(hidden)"

// parameters are for the platform's hooks, some of which let a board in that knows a secret.
const parameters = "enrol.parameters"

// Shown returns what the files of a configuration set, in their order, in a form that may be shown:
// what may be a secret is hidden, ${NAME} stays as it is written, and comments are left out. Of a
// file that cannot be read there is nothing.
func Shown(sources []Source) (list []Setting) {
	for _, s := range sources {
		text := []byte(strings.TrimPrefix(s.Text, "\ufeff"))
		var values map[string]any
		if toml.Unmarshal(text, &values) != nil {
			continue
		}
		w := shower{file: filepath.Base(s.Name), places: findPlaces(s.Name, text)}
		w.walk(values, "", "", false)
		slices.SortStableFunc(w.list, func(a, b shown) int { return a.line - b.line })
		for _, v := range w.list {
			list = append(list, v.Setting)
		}
	}
	return list
}

type shown struct {
	Setting
	line int
}

type shower struct {
	file   string
	places map[string]place
	list   []shown
}

// walk lists what is below a path; name is the path as it is shown, with the names of sensors.
func (w *shower) walk(v any, path, name string, secret bool) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sortedMapKeys(v) {
			w.walk(v[k], join(path, k), join(name, k), secret || holdsSecret(k) || path == parameters)
		}
		return
	case []any:
		if len(v) == 0 || !isTable(v[0]) {
			break
		}
		for i, e := range v {
			label := strconv.Itoa(i)
			if t, ok := e.(map[string]any); ok && path == "sensor" {
				if n, ok := t["name"].(string); ok {
					label = n
				}
			}
			w.walk(e, join(path, strconv.Itoa(i)), join(name, label), secret)
		}
		return
	}
	at := w.places[path].key.line
	value := hidden
	if !secret {
		value = showRaw(v)
	}
	w.list = append(w.list, shown{Setting{Key: name, Value: value, From: fmt.Sprintf("%s:%d", w.file, at)}, at})
}

func isTable(v any) bool { _, ok := v.(map[string]any); return ok }

// holdsSecret reports whether the value of a key may be a secret, and not only say where one is.
func holdsSecret(key string) bool {
	return secretKey(key) && !strings.HasSuffix(key, "_file") && !strings.HasSuffix(key, "_env") && !strings.HasSuffix(key, "_credential")
}

// secretText is what programs are handed a secret by.
var secretText = regexp.MustCompile(`(?i)(pass(word|wd|phrase)?|secret|token|bearer|api-?_?key|authorization)["']?[=: ]+\S`)

// showRaw writes a value as TOML has it, without what may be a secret.
func showRaw(v any) string {
	switch v := v.(type) {
	case string:
		if secretText.MatchString(v) {
			return hidden
		}
		if strings.Contains(v, "://") && strings.ContainsAny(v, "@?#") {
			u, err := url.Parse(v)
			if err != nil {
				return hidden
			}
			if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
				u.User, u.RawQuery, u.Fragment = nil, "", ""
				return fmt.Sprintf("%q", u) + " " + hidden
			}
		}
		return fmt.Sprintf("%q", v)
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = showRaw(e)
		}
		list := "[" + strings.Join(parts, ", ") + "]"
		if all := fmt.Sprint(v...); secretText.MatchString(all) || slices.ContainsFunc(v, isSecretFlag) {
			return hidden
		}
		return list
	}
	return fmt.Sprint(v)
}

// isSecretFlag reports whether a word of a command line says that the next one is a secret.
func isSecretFlag(v any) bool {
	s, ok := v.(string)
	return ok && strings.HasPrefix(s, "-") && secretKey(s)
}
