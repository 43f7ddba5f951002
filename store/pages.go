package store

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// cursor is a place between two rows: the sort key and id of the row that the page begins after, or before. Pages
// are found by key and not by counting, so they cost the same wherever they are, and rows that come or go
// meanwhile neither repeat nor hide others.
type cursor struct {
	Text string `json:"t,omitempty"`
	Num  int64  `json:"n,omitempty"`
	ID   string `json:"i"`
	Back bool   `json:"b,omitempty"`
}

func (c cursor) String() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic("store: encode cursor: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseCursor reads what a link brought back; an unreadable one is as good as none.
func parseCursor(s string) (c cursor, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if s == "" || err != nil || json.Unmarshal(b, &c) != nil {
		return cursor{}, false
	}
	c.Text, c.ID = clean(c.Text), clean(c.ID)
	return c, true
}

// where collects the conditions of a filter with their arguments. Values never enter the text.
type where struct {
	conds []string
	args  []any
}

// add takes a condition in which each ? stands for the next of its arguments.
func (w *where) add(cond string, args ...any) {
	for _, a := range args {
		w.args = append(w.args, a)
		cond = strings.Replace(cond, "?", fmt.Sprintf("$%d", len(w.args)), 1)
	}
	w.conds = append(w.conds, cond)
}

func (w *where) text() string {
	if len(w.conds) == 0 {
		return ""
	}
	return " where " + strings.Join(w.conds, " and ")
}

// limitTo ends a select; n rows are wanted and one more, which tells whether there is another page.
func limitTo(n int) string { return top(n + 1) }

// top ends a select of n rows at most. The number stands in the text, since SQLite compiles a statement anew whenever a
// parameter of its limit is bound.
func top(n int) string { return " limit " + strconv.Itoa(n) }

// page cuts one row more than was asked for into a page and its cursors. key makes the cursor of a row.
func page[T any](rows []T, limit int, from cursor, continued bool, key func(T) cursor) (_ []T, next, prev string) {
	more := len(rows) > limit
	rows = rows[:min(len(rows), limit)]
	if from.Back {
		slices.Reverse(rows)
	}
	if len(rows) == 0 {
		return rows, "", ""
	}
	if more || from.Back {
		next = key(rows[len(rows)-1]).String()
	}
	if continued && (more || !from.Back) {
		back := key(rows[0])
		back.Back = true
		prev = back.String()
	}
	return rows, next, prev
}

// order is the direction of a page's select and the comparison with its cursor.
func (c cursor) order(descending bool) (compare, direction string) {
	if descending != c.Back {
		return "<", " desc"
	}
	return ">", ""
}
