package handlers

import (
	"bytes"
	"compress/gzip"
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"
)

// zippers are reused: making one costs far more than using it.
var zippers = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
	return w
}}

const worthZipping = 1400 // bytes: about one packet

func (s *Site) render(v *visit, c templ.Component) error {
	return s.renderStatus(v, http.StatusOK, c)
}

// renderStatus draws into a buffer first, so that a template that fails half-way becomes an error page and not half
// a page.
func (s *Site) renderStatus(v *visit, status int, c templ.Component) error {
	buffer := templ.GetBuffer()
	defer templ.ReleaseBuffer(buffer)
	// Drawing is pure, and the page that says "this took too long" is drawn when the request's time is over.
	if err := c.Render(context.WithoutCancel(v.ctx()), buffer); err != nil {
		return err
	}
	h := v.Response().Header()
	h.Set(echo.HeaderContentType, echo.MIMETextHTMLCharsetUTF8)
	h.Add(echo.HeaderVary, echo.HeaderAcceptEncoding)
	if buffer.Len() < worthZipping || !strings.Contains(v.Request().Header.Get(echo.HeaderAcceptEncoding), "gzip") {
		return write(v, status, buffer.Bytes())
	}
	zipped := templ.GetBuffer()
	defer templ.ReleaseBuffer(zipped)
	if err := zip(zipped, buffer.Bytes()); err != nil {
		return err
	}
	h.Set(echo.HeaderContentEncoding, "gzip")
	return write(v, status, zipped.Bytes())
}

func zip(to *bytes.Buffer, from []byte) error {
	w := zippers.Get().(*gzip.Writer)
	defer zippers.Put(w)
	w.Reset(to)
	if _, err := w.Write(from); err != nil {
		return err
	}
	return w.Close()
}

func write(v *visit, status int, body []byte) error {
	v.Response().Header().Set(echo.HeaderContentLength, strconv.Itoa(len(body)))
	v.Response().WriteHeader(status)
	_, err := v.Response().Write(body)
	return err
}
