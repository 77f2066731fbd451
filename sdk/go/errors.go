package wasmill

import "errors"

// Retry makes an error of [Module.Transform] one that asks for the same batch again, after a back-off and within the
// pipeline's limit of retries.
func Retry(err error) error { return &batchError{err, true} }

// Fatal makes an error of [Module.Transform] one that stops the pipeline: a person has to look. Errors that say nothing
// else do so as well.
func Fatal(err error) error { return &batchError{err, false} }

type batchError struct {
	err   error
	retry bool
}

func (e *batchError) Error() string {
	if e.err == nil {
		return "no reason was given"
	}
	return e.err.Error()
}

func (e *batchError) Unwrap() error { return e.err }

// IsRetry says whether an error asks for a retry, for tests.
func IsRetry(err error) bool {
	var e *batchError
	return errors.As(err, &e) && e.retry
}
