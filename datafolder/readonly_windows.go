package datafolder

// ReadOnly returns false: on Windows a folder that cannot be written is not served.
func (f Folder) ReadOnly() bool { return false }
