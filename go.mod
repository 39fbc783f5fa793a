module github.com/muster-iot/muster

go 1.26

require github.com/aws/aws-sdk-go-v2 v1.47.7 // indirect
