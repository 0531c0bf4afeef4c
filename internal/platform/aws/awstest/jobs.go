package awstest

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf16"
)

// A Job is one execution of a job by one thing.
type Job struct {
	ID      string
	Number  int64
	Status  string // QUEUED, IN_PROGRESS, SUCCEEDED, FAILED, REJECTED
	Details map[string]string
	Answers int // updates that the service took
	doc     json.RawMessage
	version int64
}

func (j *Job) ended() bool { return j.Status != "QUEUED" && j.Status != "IN_PROGRESS" }

// AddJob queues a job for a thing, with this document, and notifies it.
func (s *Service) AddJob(thing, id, document string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs[thing] = append(s.jobs[thing], &Job{ID: id, Number: int64(len(s.jobs[thing]) + 1), Status: "QUEUED", doc: json.RawMessage(document), version: 1})
	s.notifyLocked(thing)
}

// Cancel ends an execution as the console does.
func (s *Service) Cancel(thing, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.jobLocked(thing, id); j != nil {
		j.Status = "CANCELED"
	}
	s.notifyLocked(thing)
}

// Job returns an execution as it is now.
func (s *Service) Job(thing, id string) (j Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if of := s.jobLocked(thing, id); of != nil {
		j = *of
	}
	return j
}

func (s *Service) jobLocked(thing, id string) *Job {
	for _, j := range s.jobs[thing] {
		if j.ID == id {
			return j
		}
	}
	return nil
}

// nextLocked returns the execution that comes next, one that was begun before those that wait.
func (s *Service) nextLocked(thing string) *Job {
	for _, status := range []string{"IN_PROGRESS", "QUEUED"} {
		for _, j := range s.jobs[thing] {
			if j.Status == status {
				return j
			}
		}
	}
	return nil
}

func (j *Job) execution(thing string) tree {
	return tree{"jobId": j.ID, "thingName": thing, "status": j.Status, "jobDocument": j.doc, "executionNumber": j.Number, "versionNumber": j.version, "queuedAt": stamp(), "lastUpdatedAt": stamp()}
}

// notifyLocked says which execution comes next, if it is another than before.
func (s *Service) notifyLocked(thing string) {
	m := tree{"timestamp": stamp()}
	next := ""
	if j := s.nextLocked(thing); j != nil {
		next, m["execution"] = j.ID, j.execution(thing)
	}
	if next == s.notified[thing] {
		return
	}
	s.notified[thing] = next
	s.Send("$aws/things/"+thing+"/jobs/notify-next", m)
}

func (s *Service) handleJobs(thing, rest string, payload []byte) {
	var q struct {
		ClientToken     string            `json:"clientToken"`
		Status          string            `json:"status"`
		StatusDetails   map[string]string `json:"statusDetails"`
		ExecutionNumber *int64            `json:"executionNumber"`
	}
	err := json.Unmarshal(payload, &q)
	topic := "$aws/things/" + thing + "/jobs/" + rest
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := tree{"timestamp": stamp()}
	if q.ClientToken != "" {
		answer["clientToken"] = q.ClientToken
	}
	reject := func(code string) {
		answer["code"], answer["message"] = code, "as documented"
		s.Send(topic+"/rejected", answer)
	}
	id, update := strings.CutSuffix(rest, "/update")
	operation := rest
	switch {
	case update:
		operation = "jobs/update"
	case rest != "start-next":
		return
	}
	if code, fault := s.faultLocked(operation); fault {
		if code != 0 {
			reject("RequestThrottled")
		}
		return
	}
	if err != nil {
		reject("InvalidJson")
		return
	}
	if !update {
		if j := s.nextLocked(thing); j != nil {
			j.Status = "IN_PROGRESS"
			j.version++
			answer["execution"] = j.execution(thing)
		}
		s.Send(topic+"/accepted", answer)
		return
	}
	j := s.jobLocked(thing, id)
	switch {
	case j == nil || q.ExecutionNumber != nil && *q.ExecutionNumber != j.Number:
		reject("ResourceNotFound")
	case j.ended():
		reject("InvalidStateTransition")
	case q.Status != "SUCCEEDED" && q.Status != "FAILED" && q.Status != "REJECTED" && q.Status != "IN_PROGRESS" || badDetails(q.StatusDetails):
		reject("InvalidRequest")
	default:
		j.Status, j.Details = q.Status, q.StatusDetails
		j.version++
		j.Answers++
		s.Send(topic+"/accepted", answer)
		s.notifyLocked(thing)
	}
}

// badDetails reports whether statusDetails are not as "Jobs limits" and the API reference have
// them: a value has 1 to 1024 characters, none of Unicode's class C.
func badDetails(details map[string]string) bool {
	for name, text := range details {
		if n := len(utf16.Encode([]rune(text))); len(name) > 128 || n == 0 || n > 1024 || strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsGraphic(c) && !unicode.In(c, unicode.Zl, unicode.Zp) }) {
			return true
		}
	}
	return len(details) > 10
}
