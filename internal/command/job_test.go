package command

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// TestPlatformsAnswer: every reply to a command of a platform goes where the platform wants it, and
// not to a Response Topic: of what ran, came again, was interrupted by a kill, or is no command.
func TestPlatformsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		job := func(op, id, args, malformed string) {
			t.Helper()
			r.accept(op, fmt.Sprintf(`{"id":%q,"args":%s}`, id, args), func(q *Request) {
				q.Answer, q.Correlation, q.Malformed = "$aws/things/g/jobs/"+strings.TrimSuffix(id, "/1")+"/update", []byte("1"), malformed
			})
		}
		long := strings.Repeat("j", 64) + "/1"
		job("do", long, "[]", "")
		job("do", long, "[]", "") // once more while it waits
		r.run()
		to := "$aws/things/g/jobs/" + strings.Repeat("j", 64) + "/update 1 " + long
		r.want(to + " succeeded")
		job("do", long, "[]", "")
		r.want(to + " succeeded")
		job("do", long, "{}", "")
		r.want(to + " rejected id-reused")
		job("", "a/1", "{}", "it is no command")
		job("do", "b/1", "{}", "it is no command")
		job("dance", "c/1", "{}", "")
		job("do", "d/1", `"`+strings.Repeat("x", 32<<10)+`"`, "")
		job("forbidden", "e/1", "{}", "")
		r.want("$aws/things/g/jobs/a/update 1 a/1 rejected malformed", "$aws/things/g/jobs/b/update 1 b/1 rejected malformed",
			"$aws/things/g/jobs/c/update 1 c/1 rejected unknown", "$aws/things/g/jobs/d/update 1  rejected too-large", "$aws/things/g/jobs/e/update 1 e/1 rejected not-allowed")
		job("slow", "f/1", "{}", "")
		job("slow", "f/2", "{}", "") // the next execution of the job
		r.close()                    // killed before it ran
		r.open()
		r.want("$aws/things/g/jobs/f/update 1 f/1 interrupted interrupted", "$aws/things/g/jobs/f/2/update 1 f/2 interrupted interrupted")
		job("slow", "f/1", "{}", "")
		r.want("$aws/things/g/jobs/f/update 1 f/1 interrupted interrupted")
		if n := r.runs.Load(); n != 1 {
			t.Errorf("%d ran", n)
		}
		r.close()
	})
}
