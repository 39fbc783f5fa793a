package datafolder

// ReadOnly returns false: on Windows a folder that cannot be written is not served.
func ReadOnly(Folder) bool { return false }
