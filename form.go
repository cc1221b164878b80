package openinference

import (
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
)

// formBoundary reports whether a request with those headers has a form as its body, and
// what separates the fields.
func formBoundary(h http.Header) (boundary string, ok bool) {
	if !strings.HasPrefix(h.Get("Content-Type"), "multipart/") {
		return "", false // without taking JSON's type apart
	}
	mediaType, params, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return params["boundary"], mediaType == "multipart/form-data"
}

// sniffed is how many bytes of a file tell its type.
const sniffed = 512

// readForm returns the fields of a form as JSON, and the images among its files; it
// passes over all other files. Of a form that breaks off it returns what comes before.
//
// limit is that of base64 data in a span. An image of so many bytes is over it in base64,
// so that more of it need not be read.
func readForm(r io.Reader, boundary string, limit int) sent {
	form := multipart.NewReader(r, boundary)
	var fields formFields
	var images []string
	left := maxBody
	for range maxFields {
		part, err := form.NextPart()
		if err != nil {
			break
		}
		name := part.FormName()
		switch {
		case name == "":
		case part.FileName() == "":
			text := readUpTo(part, left)
			left -= len(text)
			fields.add(name, string(text))
		case name == "image" || name == "image[]" || name == "mask":
			data := readUpTo(part, min(max(limit, sniffed), maxBody))
			if url := dataURL(http.DetectContentType(data), base64.StdEncoding.EncodeToString(data)); url != "" {
				images = append(images, url)
			}
		}
	}
	text := fields.json()
	return sent{text, imageInput(value(text).get("prompt").str(), images)}
}

// readUpTo reads what r has, up to n bytes and to its first error.
func readUpTo(r io.Reader, n int) []byte {
	b, _ := io.ReadAll(io.LimitReader(r, int64(n)))
	return b
}

// formFields are the fields of a form in the order in which they came.
type formFields []formField

type formField struct {
	name   string
	list   bool
	values []string // as JSON
}

// add adds a field. One whose name ends in [], or that comes again, is a list.
func (f *formFields) add(name, text string) {
	name, list := strings.CutSuffix(name, "[]")
	v := formValue(name, text)
	for i := range *f {
		if old := &(*f)[i]; old.name == name {
			old.list = true
			old.values = append(old.values, v)
			return
		}
	}
	*f = append(*f, formField{name, list, []string{v}})
}

func (f formFields) json() string {
	var o object
	for _, field := range f {
		v := strings.Join(field.values, ", ")
		if field.list {
			v = "[" + v + "]"
		}
		o.add(field.name, value(v))
	}
	return string(o.value())
}

// formValue returns the value of a field as JSON. A form has no types: what reads like
// a number, a boolean, an object or a list is one, but not where people write.
func formValue(name, text string) string {
	if name != "prompt" && name != "user" && valid(text) {
		if v := parse(text); v.exists() && !v.isString() {
			return string(v)
		}
	}
	return string(quote(text))
}
