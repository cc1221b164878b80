package openinference

// moderationResponse describes a moderation, whose verdict is in output.value.
func moderationResponse(body []byte) extract {
	return extract{model: parse(body).get("model").str()}
}
