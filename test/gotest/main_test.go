package main

import (
	"strings"
	"testing"
)

const (
	passing = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
{"Action":"output","Package":"q","Output":"?   \tq\t[no test files]\n"}
{"Action":"skip","Package":"q"}
`
	skipping = `{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:7: Chromium is missing\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
`
	failing = `{"Action":"output","Package":"p","Test":"TestC","Output":"    c_test.go:9: wrong\n"}
{"Action":"fail","Package":"p","Test":"TestC"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`
	dying = `{"Action":"output","Package":"p","Test":"TestD","Output":"panic: deep inside\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`
	unbuilt = `{"ImportPath":"p","Action":"build-output","Output":"p/x.go:1: syntax error\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"fail","Package":"p","FailedBuild":"p"}
`
)

func TestReport(t *testing.T) {
	tests := map[string]struct {
		in   string
		ci   bool
		want string
		ok   bool
	}{
		"passing":        {passing, true, "ok  \tp\t0.1s\n", true},
		"skip on laptop": {skipping, false, "SKIPPED p TestB\n    b_test.go:7: Chromium is missing\n", true},
		"skip in CI":     {skipping, true, "SKIPPED p TestB\n    b_test.go:7: Chromium is missing\nFAIL: 1 skipped, and with CI=true nothing may skip\n", false},
		"failing":        {failing, false, "    c_test.go:9: wrong\nFAIL\tp\t0.1s\n", false},
		"dying":          {dying, false, "FAIL\tp\t0.1s\npanic: deep inside\n", false},
		"not building":   {unbuilt, false, "p/x.go:1: syntax error\n", false},
		"foreign line":   {"hello\n", false, "hello\n", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			r := newReport(&out)
			if err := r.read(strings.NewReader(tt.in)); err != nil {
				t.Fatal(err)
			}
			if ok := r.verdict(tt.ci); ok != tt.ok || out.String() != tt.want {
				t.Errorf("ok %v, said:\n%s", ok, out.String())
			}
		})
	}
}
