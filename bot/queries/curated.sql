-- Curated answers: questions with the answers that people have approved.

-- name: put
-- Approved again for the same readers, an answer is replaced; true when it is new.
insert into curated_answer (question, answer, readers)
values (%(question)s, %(answer)s, %(readers)s)
on conflict (md5(question), readers) do update set answer = excluded.answer
returning id, xmax = 0

-- name: all
select id, question, answer, readers, created_at from curated_answer order by id

-- name: remove
delete from curated_answer where id = any(%(ids)s) returning id

-- name: readable
-- What the asker may read, with the vectors that an embedder has made so far.
select a.id, a.question, a.answer, a.readers, a.created_at, v.vector
from curated_answer a
left join curated_vector v on v.answer_id = a.id and v.embedder = %(embedder)s
where a.readers && %(principals)s::text[] order by a.id

-- name: keep_vector
-- The answer may have been removed meanwhile.
insert into curated_vector (answer_id, embedder, vector)
select id, %(embedder)s, %(vector)s from curated_answer where id = %(answer)s
on conflict do nothing
