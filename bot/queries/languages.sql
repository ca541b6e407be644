-- In which languages the documents are.

-- name: told
select metadata->>'lang', count(*) from document
where metadata->>'lang' is not null group by 1 order by 2 desc

-- name: untold
-- A sample of those that nobody has told the language of.
select left(text, 4000) from document where metadata->>'lang' is null order by id limit %(limit)s
