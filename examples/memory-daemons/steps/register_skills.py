"""Register the skills that can be suggested, each with the words that call for it; what is there already stays."""

import memory

SKILLS = {
    "backups": ["backup", "backups", "restore", "snapshot"],
    "deployment": ["deploy", "deployment", "release", "server"],
    "supervision": ["daemon", "daemons", "restart", "supervisor"],
    "testing": ["tests", "testing", "pytest", "coverage"],
}

memory.make_folders()
known = memory.load(memory.SKILLS)
skills = {**SKILLS, **known}
memory.save(memory.SKILLS, skills)
print(f"skills: {len(skills)}, {len(skills) - len(known)} of them new")
