package transfer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// row is one row of an export: a record, a queue or an execution. It is written as one line of
// JSON.
type row struct {
	table     store.Table // of a record
	record    store.Record
	queue     *muster.Queue
	execution *muster.Execution
}

// Sections of an export that are no tables of records.
const (
	queues     = "queues"
	executions = "executions"
)

// section returns the name of the section that the row belongs to.
func (r row) section() string {
	switch {
	case r.queue != nil:
		return queues
	case r.execution != nil:
		return executions
	}
	return string(r.table)
}

// thing returns the thing whose queue or execution the row is, "" for a record.
func (r row) thing() muster.ThingName {
	switch {
	case r.queue != nil:
		return r.queue.Thing
	case r.execution != nil:
		return r.execution.Thing
	}
	return ""
}

// put writes the row into a store that does not have it.
func (r row) put(tx store.Tx) {
	switch {
	case r.queue != nil:
		tx.PutQueue(*r.queue)
	case r.execution != nil:
		tx.Change(nil, r.execution)
	default:
		tx.Put(r.table, r.record.Key, r.record.Value)
	}
}

// line is the JSON of a row. A key that is no text, and a value that is not of jsonForm, are
// in Key64 and Value64.
type line struct {
	Table   store.Table     `json:"table"`
	Key     string          `json:"key"`
	Key64   []byte          `json:"key64"`
	Value   json.RawMessage `json:"value"`
	Value64 []byte          `json:"value64"`

	Queue     *queueLine     `json:"queue"`
	Execution *executionLine `json:"execution"`
}

// jsonForm is the first byte of values that are otherwise JSON, as those of store.Of are.
const jsonForm = 1

type queueLine struct {
	Thing     muster.ThingName `json:"thing"`
	Namespace muster.Namespace `json:"namespace,omitempty"`
	Rev       int64            `json:"rev"`
	Entries   []entryLine      `json:"entries"`
}

type entryLine struct {
	Status string `json:"status"`
	entry
}

// entry has the fields of a muster.Entry, or it could not be converted.
type entry struct {
	Job       muster.JobID   `json:"job"`
	Number    int64          `json:"number"`
	Version   int64          `json:"version"`
	Status    muster.Status  `json:"-"`
	QueuedAt  muster.Instant `json:"queuedAt"`
	StartedAt muster.Instant `json:"startedAt,omitempty"`
	UpdatedAt muster.Instant `json:"updatedAt"`
	Windowed  bool           `json:"windowed,omitempty"`
	Hidden    bool           `json:"hidden,omitempty"`
}

type executionLine struct {
	Status string `json:"status"`
	execution
}

// execution has the fields of a muster.Execution, or it could not be converted.
type execution struct {
	Thing         muster.ThingName  `json:"thing"`
	Job           muster.JobID      `json:"job"`
	Number        int64             `json:"number"`
	Namespace     muster.Namespace  `json:"namespace,omitempty"`
	Status        muster.Status     `json:"-"`
	Version       int64             `json:"version"`
	Details       map[string]string `json:"details,omitempty"`
	QueuedAt      muster.Instant    `json:"queuedAt"`
	StartedAt     muster.Instant    `json:"startedAt,omitempty"`
	UpdatedAt     muster.Instant    `json:"updatedAt"`
	JobDeadline   muster.Instant    `json:"jobDeadline,omitempty"`
	StepDeadline  muster.Instant    `json:"stepDeadline,omitempty"`
	Retries       muster.Retries    `json:"retries,omitzero"`
	ForceCanceled bool              `json:"forceCanceled,omitempty"`
	Windowed      bool              `json:"windowed,omitempty"`
	PresignedAt   muster.Instant    `json:"presignedAt,omitempty"`
}

// encoder makes lines of rows. Equal rows have equal lines.
type encoder struct {
	b    bytes.Buffer
	json *json.Encoder // into b; ends what it writes with a line feed
}

func newEncoder() *encoder {
	e := &encoder{}
	e.json = json.NewEncoder(&e.b)
	e.json.SetEscapeHTML(false)
	return e
}

// line returns the line of r with its line feed. It is valid until the next call.
func (e *encoder) line(r row) ([]byte, error) {
	e.b.Reset()
	var err error
	switch {
	case r.queue != nil:
		err = e.wrap(queuePrefix, queueToLine(r.queue))
	case r.execution != nil:
		if err := checkText(r.execution); err != nil {
			return nil, err
		}
		err = e.wrap(executionPrefix, executionLine{r.execution.Status.String(), execution(*r.execution)})
	default:
		err = e.record(r)
	}
	return e.b.Bytes(), err
}

const (
	queuePrefix     = `{"queue":`
	executionPrefix = `{"execution":`
)

func (e *encoder) wrap(prefix string, v any) error {
	e.b.WriteString(prefix)
	err := e.value(v)
	e.b.WriteString("}\n")
	return err
}

// value adds the JSON of v.
func (e *encoder) value(v any) error {
	err := e.json.Encode(v)
	e.b.Truncate(max(0, e.b.Len()-1))
	return err
}

// record adds the line of a record. The value is copied as it is, so that it becomes the same
// bytes again.
func (e *encoder) record(r row) error {
	e.b.WriteString(`{"table":`)
	err := e.value(r.table)
	if err == nil && utf8.ValidString(r.record.Key) {
		e.b.WriteString(`,"key":`)
		err = e.value(r.record.Key)
	} else if err == nil {
		e.b.WriteString(`,"key64":`)
		err = e.value([]byte(r.record.Key))
	}
	if err != nil {
		return err
	}
	if v := r.record.Value; isText(v) {
		e.b.WriteString(`,"value":`)
		e.b.Write(v[1:])
	} else {
		e.b.WriteString(`,"value64":`)
		err = e.value(append([]byte{}, v...)) // nil would be null
	}
	e.b.WriteString("}\n")
	return err
}

// isText reports whether a value is of jsonForm and can be a part of a line unchanged.
func isText(value []byte) bool {
	if len(value) < 2 || value[0] != jsonForm {
		return false
	}
	text := value[1:]
	return !bytes.ContainsRune(text, '\n') && len(bytes.TrimSpace(text)) == len(text) && json.Valid(text)
}

// checkText fails for an execution with a text that JSON cannot hold. Names are checked
// where they come from.
func checkText(e *muster.Execution) error {
	for name, text := range e.Details {
		if !utf8.ValidString(name) || !utf8.ValidString(text) {
			return fmt.Errorf("the details of execution %d of job %s on %s are not text (UTF-8)", e.Number, e.Job, e.Thing)
		}
	}
	return nil
}

func queueToLine(q *muster.Queue) queueLine {
	l := queueLine{Thing: q.Thing, Namespace: q.Namespace, Rev: q.Rev, Entries: make([]entryLine, len(q.Entries))}
	for i, e := range q.Entries {
		l.Entries[i] = entryLine{e.Status.String(), entry(e)}
	}
	return l
}

// decode is the inverse of encoder.line. What it returns does not share memory with text.
func decode(text []byte) (row, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return row{}, err
	}
	switch {
	case l.Queue != nil:
		return queueOf(l.Queue)
	case l.Execution != nil:
		e := muster.Execution(l.Execution.execution)
		var known bool
		if e.Status, known = muster.ParseStatus(l.Execution.Status); !known {
			return row{}, fmt.Errorf("there is no status %q", l.Execution.Status)
		}
		return row{execution: &e}, nil
	case l.Table == "":
		return row{}, fmt.Errorf("it is neither a record nor a queue nor an execution")
	}
	r := row{table: l.Table, record: store.Record{Key: l.Key, Value: l.Value64}}
	if l.Key64 != nil {
		r.record.Key = string(l.Key64)
	}
	if l.Value != nil {
		r.record.Value = append([]byte{jsonForm}, l.Value...)
	}
	return r, nil
}

func queueOf(l *queueLine) (row, error) {
	q := muster.Queue{Thing: l.Thing, Namespace: l.Namespace, Rev: l.Rev, Entries: make([]muster.Entry, len(l.Entries))}
	for i, e := range l.Entries {
		q.Entries[i] = muster.Entry(e.entry)
		var known bool
		if q.Entries[i].Status, known = muster.ParseStatus(e.Status); !known {
			return row{}, fmt.Errorf("there is no status %q", e.Status)
		}
	}
	return row{queue: &q}, nil
}
